package ca

import (
	"slices"
	"strconv"
	"strings"
	"sync"

	"newleaf"
	"newleaf/internal/enroll"
)

// Fault is one row of the table of mischief.
type Fault struct {
	Name      string          `json:"name"`
	Operation string          `json:"operation"` // where it strikes unless told; "" for anywhere
	Means     string          `json:"means"`
	Mischief  enroll.Mischief `json:"-"`
}

// Faults is the table of all mischief, in the order of the documentation. A row
// whose Mischief is about the certificate is obeyed by [CA.Decide] when it
// issues one, every other row by the protocol server.
func Faults() []Fault { return slices.Clone(faults) }

// pkiOperation is the SCEP operation that carries requests.
const pkiOperation = "PKIOperation"

var faults = []Fault{
	{"refuse", pkiOperation, "answers FAILURE badRequest", enroll.Mischief{Refuse: badRequest}},
	{"refuse-alg", pkiOperation, "answers FAILURE badAlg", enroll.Mischief{Refuse: badAlg}},
	{"refuse-check", pkiOperation, "answers FAILURE badMessageCheck", enroll.Mischief{Refuse: "badMessageCheck"}},
	{"refuse-time", pkiOperation, "answers FAILURE badTime", enroll.Mischief{Refuse: "badTime"}},
	{"refuse-id", pkiOperation, "answers FAILURE badCertId", enroll.Mischief{Refuse: badCertID}},
	{"reset", "", "cuts the connection without an answer", enroll.Mischief{Reset: true}},
	{"reset-mid", "", "cuts the connection in the middle of the answer", enroll.Mischief{ResetMid: true}},
	{"stall", "", "never answers", enroll.Mischief{Stall: true}},
	{"endless", "", "never stops answering", enroll.Mischief{Endless: true}},
	{"http-404", "", "answers with HTTP status 404", enroll.Mischief{Status: 404}},
	{"http-500", "", "answers with HTTP status 500", enroll.Mischief{Status: 500}},
	{"http-503", "", "answers with HTTP status 503", enroll.Mischief{Status: 503}},
	{"garbage", "", "answers with bytes that are no message", enroll.Mischief{Garbage: true}},
	{"empty", "", "answers with nothing", enroll.Mischief{Empty: true}},
	{"wrong-nonce", pkiOperation, "answers with another recipientNonce", enroll.Mischief{Nonce: true}},
	{"wrong-transaction", pkiOperation, "answers with another transactionID", enroll.Mischief{Transact: true}},
	{"foreign-signer", pkiOperation, "signs the answer as a stranger", enroll.Mischief{Foreign: true}},
	{"sibling-ra", pkiOperation, "signs the answer with an issued end-entity certificate", enroll.Mischief{Sibling: true}},
	{"bad-signature", pkiOperation, "damages the answer's signature", enroll.Mischief{Signature: true}},
	{"no-certificate", pkiOperation, "answers SUCCESS without a certificate", enroll.Mischief{NoCert: true}},
	{"pending", pkiOperation, "answers PENDING", enroll.Mischief{Pending: true}},
	{"leaf-as-ca", "GetCACert", "answers GetCACert with an end-entity certificate", enroll.Mischief{LeafAsCA: true}},
	{"wrong-key", pkiOperation, "issues a certificate for another key", enroll.Mischief{Key: true}},
	{"old-certificate", pkiOperation, "answers with the subject's present certificate again", enroll.Mischief{Old: true}},
	{"expired", pkiOperation, "issues a certificate that expired", enroll.Mischief{Expired: true}},
	{"future", pkiOperation, "issues a certificate that is not valid yet", enroll.Mischief{Future: true}},
	{"odd-validity", pkiOperation, "issues a certificate that ends before it begins", enroll.Mischief{Expired: true, Future: true}},
	{"no-eku", pkiOperation, "issues a certificate fit for e-mail only", enroll.Mischief{NoEKU: true}},
	{"as-ca", pkiOperation, "issues a CA certificate", enroll.Mischief{AsCA: true}},
}

// ofCertificate reports a mischief that changes what is issued, not what is
// said about it.
func ofCertificate(m enroll.Mischief) bool {
	return m.Key || m.Old || m.Expired || m.Future || m.NoEKU || m.AsCA
}

// armed is one word of a script: a fault, where it strikes and how often.
type armed struct {
	Fault
	left int // < 0 for ever
}

// parseMischief reads words of the form NAME[:OPERATION][*COUNT].
func parseMischief(words []string) ([]armed, error) {
	var out []armed
	for _, word := range words {
		word = strings.TrimSpace(word)
		if word == "" {
			continue
		}
		a := armed{left: -1}
		head, count, counted := strings.Cut(word, "*")
		if counted {
			n, err := strconv.Atoi(count)
			if err != nil || n < 1 {
				return nil, newleaf.Errorf(newleaf.CodeInvalid, "the count of the mischief %q is not a number above 0", word)
			}
			a.left = n
		}
		name, operation, _ := strings.Cut(head, ":")
		i := slices.IndexFunc(faults, func(f Fault) bool { return f.Name == name })
		if i < 0 {
			return nil, newleaf.Errorf(newleaf.CodeInvalid, "there is no mischief %q", name).
				WithHint("%s Write NAME[:OPERATION][*COUNT], as in refuse*2 or reset:PKIOperation.", newleaf.DidYouMean(name, faultNames()))
		}
		if a.Fault = faults[i]; operation != "" {
			a.Operation = operation
		}
		out = append(out, a)
	}
	return out, nil
}

// script is the mischief in force. It is safe for concurrent use.
type script struct {
	mu    sync.Mutex
	words []armed
}

func (s *script) set(words []armed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.words = words
}

// list writes what is left of the script, as it would be typed.
func (s *script) list() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []string{}
	for _, a := range s.words {
		word := a.Name
		if a.Operation != "" {
			word += ":" + a.Operation
		}
		if a.left > 0 {
			word += "*" + strconv.Itoa(a.left)
		}
		out = append(out, word)
	}
	return out
}

// take uses up one turn of the first word that strikes at one of the
// operations. Words take their turns in order, so that "pending*3, refuse" is
// three times pending before it refuses.
func (s *script) take(certificate bool, operations ...string) enroll.Mischief {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.words, func(a armed) bool {
		return ofCertificate(a.Mischief) == certificate && (a.Operation == "" ||
			slices.ContainsFunc(operations, func(o string) bool { return strings.EqualFold(o, a.Operation) }))
	})
	if i < 0 {
		return enroll.Mischief{}
	}
	m := s.words[i].Mischief
	if s.words[i].left > 0 {
		s.words[i].left--
	}
	if s.words[i].left == 0 {
		s.words = slices.Delete(s.words, i, i+1)
	}
	return m
}

func faultNames() []string {
	var names []string
	for _, f := range faults {
		names = append(names, f.Name)
	}
	return names
}
