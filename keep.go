package newleaf

// keepSharedKeys keeps a certificate whose key serves one that stays.
func keepSharedKeys(vs []Verdict, s Snapshot) {
	stays := map[string]bool{}
	for i, v := range vs {
		if !v.Delete {
			stays[s.Certificates[i].KeyID] = true
		}
	}
	for i, v := range vs {
		if v.Delete && s.Certificates[i].KeyID != "" && stays[s.Certificates[i].KeyID] {
			keep(vs, v.ID, KeepSharedKey)
		}
	}
}

// keepCredentials keeps, for each connection, the best of those able to enroll
// again, when the plan as a whole would leave none (contract: K(c)).
func keepCredentials(vs []Verdict, s Snapshot) {
	for _, conn := range s.Connections {
		if conn.Secret || conn.Connection == s.Through && !s.Unverified && (conn.Protocol != SCEP || s.NewRSA) {
			continue
		}
		best := -1
		for i, v := range vs {
			c := &s.Certificates[i]
			if !conn.enrolls(c, s) {
				continue
			}
			if !v.Delete {
				best = -1
				break
			}
			if best < 0 || c.NotAfter.After(s.Certificates[best].NotAfter) {
				best = i
			}
		}
		if best >= 0 {
			keep(vs, vs[best].ID, KeepCredential)
		}
	}
}

// enrolls reports whether c can authenticate a request through the connection.
// One that a walk is not through with may yet be given up, so it is not counted.
func (conn Credentials) enrolls(c *Certificate, s Snapshot) bool {
	switch {
	case c.ID == s.New || c.State != StateHeld || c.Damaged || c.SelfSigned() || s.ClockTrusted && c.Expired(s.Now):
		return false
	case c.Origin != Factory && (c.Origin != Enrolled || c.Connection != conn.Connection):
		return false
	}
	return conn.Protocol != SCEP || c.KeyAlgorithm == "RSA"
}

func keep(vs []Verdict, id ID, why Reason) {
	for i := range vs {
		if vs[i].ID == id {
			vs[i].Delete, vs[i].Reason = false, why
		}
	}
}

// Outlook says whether the next update of a certificate will go by itself
// (contract, "Renewal ladder").
type Outlook string

const (
	OutlookProven   Outlook = "proven"   // it came by an update through the same connection
	OutlookUnproven Outlook = "unproven" // nothing speaks against it, it was not tried yet
	OutlookPerson   Outlook = "person"   // no request to repeat, or nothing to authenticate it with
)

// Outlook judges c in the store as it is.
func (s Snapshot) Outlook(c *Certificate) Outlook {
	if c.Request == nil {
		return OutlookPerson
	}
	for _, conn := range s.Connections {
		if conn.Connection != c.Request.Connection {
			continue
		}
		switch {
		case !conn.Secret && !conn.enrolls(c, s):
			return OutlookPerson
		case c.Predecessor != "" && c.Connection == conn.Connection:
			return OutlookProven
		}
		return OutlookUnproven
	}
	return OutlookPerson
}
