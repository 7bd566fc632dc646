package agent

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"newleaf"
	"newleaf/internal/enroll"
	"newleaf/internal/store"
)

// ConnectionList lists the connections to authorities.
func (a *Agent) ConnectionList(ctx context.Context) ([]newleaf.ConnectionInfo, error) {
	out := []newleaf.ConnectionInfo{}
	return out, a.Store.Read(ctx, func(tx *store.Tx) error {
		all, err := tx.Connections()
		if err != nil {
			return err
		}
		for _, c := range all {
			info, err := connectionInfo(tx, c)
			if err != nil {
				return err
			}
			out = append(out, info)
		}
		return nil
	})
}

func connectionInfo(tx *store.Tx, c newleaf.Connection) (newleaf.ConnectionInfo, error) {
	i := newleaf.ConnectionInfo{Connection: c}
	i.Endpoint, _ = c.Endpoint() // validated when it was saved
	_, stored, err := tx.Secret(connectionSecret(c.Name))
	if err != nil {
		return i, err
	}
	i.PasswordStored = stored
	anchors, err := tx.Anchors()
	for _, n := range anchors {
		if n.Connection != c.Name || n.Role != newleaf.RoleAnchor {
			continue
		}
		if n.Confirmed {
			i.Anchors++
		}
		if hasScheme(n.Source) && n.Source != i.Endpoint {
			i.Warning = fmt.Sprintf("The CA certificate was fetched from %s, not from the present server.", n.Source)
		}
	}
	return i, err
}

func hasScheme(s string) bool { return len(s) > 4 && s[:4] == "http" }

// SetConnection saves a connection; a renewal under way keeps the old settings
// until its next exchange (F6-G3).
func (a *Agent) SetConnection(ctx context.Context, c newleaf.Connection) (info newleaf.ConnectionInfo, err error) {
	if err := c.Validate(); err != nil {
		return info, err
	}
	var write writer = a.Store.Write
	if !c.KeepPassword {
		write = a.forgettingPassword(ctx, c.Name)
	}
	err = write(ctx, func(tx *store.Tx) error {
		all, err := tx.Connections()
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(all, func(o newleaf.Connection) bool { return o.Name == c.Name }); i >= 0 && sameConnection(all[i], c) {
			info, err = connectionInfo(tx, c)
			return err
		}
		if err := tx.PutConnection(c); err != nil {
			return err
		}
		if err := a.unstick(tx); err != nil {
			return err
		}
		if err := a.note(tx, newleaf.Event{Kind: newleaf.EventConnection, By: newleaf.ActorOf(ctx).Name, Text: fmt.Sprintf("connection %q is now %s", c.Name, c.URL)}); err != nil {
			return err
		}
		info, err = connectionInfo(tx, c)
		return err
	})
	a.Wake()
	return info, err
}

// forgettingPassword is a writer that also destroys the connection's password, if it has one.
func (a *Agent) forgettingPassword(ctx context.Context, name string) writer {
	stored := false
	_ = a.Store.Read(ctx, func(tx *store.Tx) (err error) { // a failing read fails the write too
		_, stored, err = tx.Secret(connectionSecret(name))
		return err
	})
	if !stored {
		return a.Store.Write
	}
	return func(ctx context.Context, f func(*store.Tx) error) error {
		return a.destroy(ctx, func(tx *store.Tx) error {
			if err := tx.DeleteSecret(connectionSecret(name)); err != nil {
				return err
			}
			return f(tx)
		})
	}
}

func sameConnection(a, b newleaf.Connection) bool {
	weak := slices.Equal(a.Weak, b.Weak)
	a.Weak, b.Weak = nil, nil
	return weak && fmt.Sprint(a) == fmt.Sprint(b)
}

// RemoveConnection forgets a connection and its password. Its anchors stay, as
// certificates issued through it may still be checked by them.
func (a *Agent) RemoveConnection(ctx context.Context, name string) error {
	return a.forgettingPassword(ctx, name)(ctx, func(tx *store.Tx) error {
		if _, err := tx.Connection(name); err != nil {
			return err
		}
		if err := tx.DeleteConnection(name); err != nil {
			return err
		}
		return a.note(tx, newleaf.Event{Kind: newleaf.EventConnection, By: newleaf.ActorOf(ctx).Name, Text: fmt.Sprintf("connection %q was removed", name)})
	})
}

// TestConnection looks at the authority without trusting or asking anything.
func (a *Agent) TestConnection(ctx context.Context, name string) (t newleaf.ConnectionTest, err error) {
	t.Capabilities, t.Certificates, t.Findings = []string{}, []newleaf.AnchorInfo{}, []newleaf.Finding{}
	var conn newleaf.Connection
	err = a.Store.Read(ctx, func(tx *store.Tx) (err error) { conn, err = tx.Connection(name); return err })
	if err != nil {
		return t, err
	}
	if t.Endpoint, err = conn.Endpoint(); err != nil {
		return t, err
	}
	client, err := a.Dial(conn)
	if err != nil {
		return t, err
	}
	caps, err := client.Capabilities(ctx)
	t.Findings = append(t.Findings, finding("capabilities", err, "the authority says what it can do"))
	if err == nil {
		t.Capabilities = append(t.Capabilities, caps.AsReceived...)
		t.Findings = append(t.Findings, weakness(conn, caps)...)
	}
	certs, err := client.Certificates(ctx)
	t.Findings = append(t.Findings, finding("CA certificate", err, fmt.Sprintf("%d certificates were received", len(certs))))
	if err != nil {
		return t, nil
	}
	set, err := a.roles(name, certs, t.Endpoint)
	t.Findings = append(t.Findings, finding("anchor", err, "one of them is a CA certificate"))
	for _, n := range set {
		t.Certificates = append(t.Certificates, anchorInfo(n))
	}
	return t, nil
}

func finding(topic string, err error, good string) newleaf.Finding {
	if err != nil {
		e := newleaf.AsError(err)
		return newleaf.Finding{Topic: topic, Text: e.Text, Hint: e.Hint}
	}
	return newleaf.Finding{OK: true, Topic: topic, Text: good}
}

// weakness tells what the authority has nothing better than.
func weakness(conn newleaf.Connection, caps enroll.Capabilities) []newleaf.Finding {
	var out []newleaf.Finding
	say := func(w newleaf.Weak, what string) {
		f := newleaf.Finding{OK: conn.Allows(w), Topic: "algorithms", Text: "the authority offers no " + what}
		if !f.OK {
			f.Hint = fmt.Sprintf("Configure it for AES and SHA-256, or allow the weak algorithm with \"newleaf connection set --weak %s\".", w)
		}
		out = append(out, f)
	}
	if !slices.ContainsFunc(caps.Ciphers, func(c string) bool { return strings.HasPrefix(c, "aes") }) {
		say(newleaf.Weak3DES, "AES")
	}
	if !slices.ContainsFunc(caps.Hashes, func(h string) bool { return h != "sha1" && h != "md5" }) {
		say(newleaf.WeakSHA1, "SHA-256 or better")
	}
	return out
}
