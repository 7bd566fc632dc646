package device

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"time"

	"newleaf"
	"newleaf/internal/agent"
	"newleaf/internal/store"
)

// subject of all certificates of the device.
const subject = "C=JP,O=ABC,OU=DEV01,CN=Device001"

// Former is the connection of the certificates that Fill makes; their names begin with it.
const Former = "former"

// Authority is where the device enrolls.
type Authority struct {
	URL    string
	Issuer *x509.Certificate
}

// Fill makes the state of a device in dir: a certificate for each key, of an
// authority that is no more, the first for TLS, the second for IPsec. What an
// update replaces is deleted.
func Fill(ctx context.Context, dir string, a Authority, keys []*rsa.PrivateKey) error {
	now := time.Now()
	p := agent.Provision{Lab: true, Now: now, Kinds: newleaf.BuiltinKinds(), Settings: newleaf.DefaultSettings(),
		Reservation: newleaf.DefaultReservation("UTC"), Deletion: newleaf.DefaultDeletion()}
	p.Deletion.Auto, p.Deletion.Rules = true, []newleaf.Rule{newleaf.RuleReplaced}
	c := newleaf.NewConnection(newleaf.DefaultConnection)
	c.URL = a.URL
	p.Connections = []newleaf.Connection{c}
	issuer, err := newleaf.Parse(a.Issuer.Raw)
	if err != nil {
		return err
	}
	p.Anchors = []newleaf.Anchor{{ID: newleaf.IDOf(a.Issuer.Raw), DER: a.Issuer.Raw, Connection: c.Name, Role: newleaf.RoleAnchor,
		Confirmed: true, Added: now, Source: "provision", Parsed: issuer}}
	for i, key := range keys {
		der, err := former(key, int64(i+2), now)
		if err != nil {
			return err
		}
		held := newleaf.Certificate{Name: fmt.Sprintf("%s %d", Former, i), DER: der, Origin: newleaf.Enrolled, Connection: Former, Added: now.AddDate(-1, 0, 0)}
		p.Certificates = append(p.Certificates, agent.Provisioned{Certificate: held, Key: key})
	}
	for i, purpose := range []newleaf.Purpose{newleaf.TLS, newleaf.IPsec} {
		if i < len(keys) {
			p.Certificates[i].Purposes = []newleaf.Purpose{purpose}
		}
	}
	st, vault, err := open(ctx, dir)
	if err != nil {
		return err
	}
	return errors.Join(p.Fill(ctx, st, vault), st.Close())
}

// Age gives the state in dir what years of use leave behind: as many renewals as
// are remembered, and a full journal.
func Age(ctx context.Context, dir string) error {
	st, _, err := open(ctx, dir)
	if err != nil {
		return err
	}
	const renewals = 200
	then := time.Now().AddDate(-1, 0, 0)
	err = st.Write(ctx, func(tx *store.Tx) error {
		for i := range renewals {
			q := Issue(fmt.Sprint("gone ", i), "").Request
			id := newleaf.IDOf([]byte(q.Name))
			r := newleaf.Renewal{Cause: newleaf.CauseReservation, By: "before", Request: q, Step: newleaf.StepDone, Phase: newleaf.PhaseDone, Started: then, Ended: then,
				Sent: []time.Time{}, Certificate: id, Evidence: newleaf.EvidenceProven, Deleted: []newleaf.Deleted{{ID: id, Name: q.Name, Rule: newleaf.RuleReplaced, Size: 3000}},
				Kept: []newleaf.Verdict{}, Snapshot: newleaf.RunSnapshot{At: then, Policy: newleaf.DefaultDeletion()}}
			for range 7 { // what stood in the store then
				r.Snapshot.IDs = append(r.Snapshot.IDs, id)
				r.Snapshot.Plan = append(r.Snapshot.Plan, newleaf.Verdict{ID: id, Name: q.Name, Rules: []newleaf.Rule{}, Reason: newleaf.KeepNoRule})
			}
			r.Kept = r.Snapshot.Plan
			if _, err := tx.PutRenewal(r); err != nil {
				return err
			}
		}
		for i := range newleaf.DefaultSettings().JournalEvents {
			if _, err := tx.Append(newleaf.Event{At: then, Kind: newleaf.EventStep, By: "before", Renewal: int64(i % renewals), Text: "a step of a renewal that is long done"}); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, st.Close())
}

// former makes a certificate of an authority that is no more.
func former(key *rsa.PrivateKey, serial int64, now time.Time) ([]byte, error) {
	name, err := newleaf.MarshalSubject(subject)
	if err != nil {
		return nil, err
	}
	issuer, err := newleaf.MarshalSubject("C=JP,CN=Former CA")
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{SerialNumber: big.NewInt(serial), RawSubject: name, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(2, 0, 0)}
	return x509.CreateCertificate(rand.Reader, t, &x509.Certificate{RawSubject: issuer}, key.Public(), key)
}

// Issue is the request for a certificate of that name for TLS.
func Issue(name, password string) newleaf.Issue {
	q := newleaf.DefaultRequest()
	q.Name, q.Subject, q.SAN, q.Purposes = name, subject, []string{"dns:localhost"}, []newleaf.Purpose{newleaf.TLS}
	return newleaf.Issue{Request: q, Password: password}
}
