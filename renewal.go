package newleaf

import (
	"slices"
	"time"
)

// Step is a numbered step of a renewal. The names are those of the journal, the
// API, the live display and the stop points of the lab.
type Step string

const (
	StepRoom    Step = "room"    // 1: will there be room? judge once, before the authority is asked
	StepRequest Step = "request" // 2: key and request, send, poll, check the answer
	StepKeep    Step = "keep"    // 3: store key and certificate durably (Fig. 17B)
	StepBind    Step = "bind"    // 4: move the purposes, on trial (Fig. 17C)
	StepRestart Step = "restart" // 5: restart if a purpose needs it
	StepProve   Step = "prove"   // 6: see the new certificate in use
	StepDelete  Step = "delete"  // 7: delete what is unnecessary
	StepDone    Step = "done"
)

// Steps lists the seven in their order.
func Steps() []Step {
	return []Step{StepRoom, StepRequest, StepKeep, StepBind, StepRestart, StepProve, StepDelete}
}

// Number is 1 to 7, 8 for done.
func (s Step) Number() int { return slices.Index(append(Steps(), StepDone), s) + 1 }

// Phase is where a renewal stands.
type Phase string

const (
	PhaseWaiting   Phase = "waiting"   // its turn has not come (slot-taken)
	PhaseRunning   Phase = "running"   // at a step; after a crash the next start goes on here
	PhasePending   Phase = "pending"   // the authority has not decided
	PhaseRetry     Phase = "retry"     // a step failed and is tried again at NextTry
	PhaseSuspended Phase = "suspended" // waits for a restart or for proof
	PhaseDone      Phase = "done"
	PhaseFailed    Phase = "failed" // given up; what was in use still is
	PhaseCancelled Phase = "cancelled"
)

// Open reports whether the renewal is not through yet.
func (p Phase) Open() bool { return p != PhaseDone && p != PhaseFailed && p != PhaseCancelled }

// CauseManual is a renewal that a person or a controller asked for; the others
// come from the reservation.
const CauseManual Cause = "manual"

// Renewal is one walk of a certificate from wish to deletion, a first issuance
// or an update, and its persisted state. It is one row of the store; a kill at
// any step resumes it from there.
type Renewal struct {
	ID       int64   `json:"id"`
	Cause    Cause   `json:"cause"`
	By       string  `json:"by"`       // who asked
	Replaces ID      `json:"replaces"` // the certificate to be updated, "" for a first issuance
	Request  Request `json:"request"`  // what is asked for, with the new certificate's name

	Step    Step      `json:"step"` // the step to be done next
	Phase   Phase     `json:"phase"`
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
	Tries   int       `json:"tries"`            // failures in a row
	NextTry time.Time `json:"nextTry,omitzero"` // of retry and pending
	Error   *Error    `json:"error,omitempty"`  // the last failure

	Method        string      `json:"method"`        // rung of the renewal ladder in use
	TransactionID string      `json:"transactionId"` // of the protocol, kept across restarts
	Sent          []time.Time `json:"sent"`          // requests sent for this need, for the budget
	Unanswered    bool        `json:"unanswered"`    // the last one got no readable answer
	Polls         int         `json:"polls"`         // times the authority said "pending"
	Restarted     bool        `json:"restarted"`     // it restarted the device; never twice (AMB-20)

	KeyID    string   `json:"keyId"`            // of the key that waits for its certificate
	Staged   [][]byte `json:"staged,omitempty"` // answer that passed the checks: leaf, then chain
	Verified bool     `json:"verified"`         // its issuer was verified

	Snapshot  RunSnapshot `json:"snapshot"`
	ApplyPlan bool        `json:"applyPlan"` // apply automatic deletion (AMB-34)

	Certificate ID        `json:"certificate"` // the new one, once kept
	Evidence    Evidence  `json:"evidence"`    // weakest over the purposes
	ProveBy     time.Time `json:"proveBy,omitzero"`
	Rejected    int       `json:"rejected"` // times its proof failed
	Deleted     []Deleted `json:"deleted"`
	Kept        []Verdict `json:"kept"` // what stays, with reasons
}

// RunSnapshot is what the plan is judged on: the store when the run started.
type RunSnapshot struct {
	At       time.Time      `json:"at,omitzero"`
	Clock    bool           `json:"clock"` // the clock was believable
	IDs      []ID           `json:"ids"`
	Bindings Bindings       `json:"bindings"`
	Policy   DeletionPolicy `json:"policy"`
	Plan     []Verdict      `json:"plan"`
}

// Deleted records one deletion of a renewal.
type Deleted struct {
	ID   ID     `json:"id"`
	Name string `json:"name"`
	Rule Rule   `json:"rule"`
	Size int64  `json:"size"` // bytes it took
}

// Owed is a deletion that a guard put off. A later tick carries it out without
// a new acquisition; pin, regained purpose or switching off cancels it.
type Owed struct {
	Certificate ID
	Rule        Rule
	Rules       []Rule
	Renewal     int64
	NotBefore   time.Time // end of the settle time; zero: as soon as unused
}

// Evidence says how well a certificate's use is shown.
type Evidence string

const (
	EvidenceNone    Evidence = ""
	EvidenceAssumed Evidence = "assumed" // no target, or one that cannot prove
	EvidenceProven  Evidence = "proven"  // seen from the consumer's side
	EvidenceRefused Evidence = "refused" // the consumer does not take it
)
