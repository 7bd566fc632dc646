package agent

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"

	"newleaf"
	"newleaf/internal/store"
)

// FetchAnchors gets the authority's certificates (Fig. 7). They are shown, and
// nothing is trusted before they are confirmed or the given thumbprint matches
// the one that becomes the anchor (AMB-45). What was held before stays until a
// person removes it (F7-G4).
func (a *Agent) FetchAnchors(ctx context.Context, connection, thumbprint string) ([]newleaf.AnchorInfo, error) {
	var conn newleaf.Connection
	err := a.Store.Read(ctx, func(tx *store.Tx) (err error) { conn, err = tx.Connection(connection); return err })
	if err != nil {
		return nil, err
	}
	client, err := a.Dial(conn)
	if err != nil {
		return nil, err
	}
	certs, err := client.Certificates(ctx)
	if err != nil {
		return nil, err
	}
	source, err := conn.Endpoint()
	if err != nil {
		return nil, err
	}
	set, err := a.roles(connection, certs, source)
	if err != nil {
		return nil, err
	}
	want, anchor := plainThumbprint(thumbprint), anchorOf(set)
	if want != "" && want != anchor.SHA1 && want != anchor.SHA256 {
		return nil, newleaf.Errorf(newleaf.CodeThumbprint, "the thumbprint of the CA certificate is %s (SHA-256) or %s (SHA-1), not %s", anchor.SHA256, anchor.SHA1, want)
	}
	if want == "" {
		return a.register(ctx, set, nil)
	}
	return a.register(ctx, set, func(n newleaf.Anchor) bool { return n.ID == anchor.ID || leadsTo(n, set) })
}

// leadsTo reports that n is a CA certificate which signatures of the same answer
// link to its anchor. Whoever stands in between can add others to an answer that
// nobody signs, so a thumbprint confirms no more than that.
func leadsTo(n newleaf.Anchor, set []newleaf.Anchor) bool {
	anchor := anchorOf(set)
	for range set {
		if n.ID == anchor.ID {
			return true
		}
		i := slices.IndexFunc(set, func(o newleaf.Anchor) bool { return o.IsCA && o.ID != n.ID && signed(n.DER, o.DER) })
		if !n.IsCA || i < 0 {
			return false
		}
		n = set[i]
	}
	return false
}

// signed reports that the certificate was issued by the CA certificate.
func signed(der, by []byte) bool {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return false
	}
	issuer, err := x509.ParseCertificate(by)
	return err == nil && c.CheckSignatureFrom(issuer) == nil
}

func anchorOf(set []newleaf.Anchor) newleaf.Anchor {
	return set[slices.IndexFunc(set, func(n newleaf.Anchor) bool { return n.Role == newleaf.RoleAnchor })]
}

// register stores the certificates of one answer in place of those that were
// fetched before and never confirmed; what was confirmed stays so.
func (a *Agent) register(ctx context.Context, set []newleaf.Anchor, confirmed func(newleaf.Anchor) bool) ([]newleaf.AnchorInfo, error) {
	anchor := anchorOf(set)
	err := a.Store.Write(ctx, func(tx *store.Tx) error {
		held, err := tx.Anchors()
		if err != nil {
			return err
		}
		for _, h := range held {
			if h.Connection == anchor.Connection && !h.Confirmed {
				if err := tx.DeleteAnchor(h.ID, h.Connection); err != nil {
					return err
				}
			}
		}
		for _, n := range set {
			i := slices.IndexFunc(held, func(h newleaf.Anchor) bool { return h.ID == n.ID && h.Connection == n.Connection })
			if i >= 0 {
				n.Confirmed, n.Added = held[i].Confirmed, held[i].Added
			}
			n.Confirmed = n.Confirmed || confirmed != nil && confirmed(n)
			if err := tx.PutAnchor(n); err != nil {
				return err
			}
		}
		if confirmed != nil {
			if err := a.unstick(tx); err != nil {
				return err
			}
		}
		return a.note(tx, newleaf.Event{Kind: newleaf.EventAnchor, By: newleaf.ActorOf(ctx).Name,
			Text: fmt.Sprintf("CA certificate %q was acquired for connection %q, SHA-256 %s", anchor.Subject, anchor.Connection, anchor.SHA256)})
	})
	if err != nil {
		return nil, err
	}
	a.Wake()
	return a.anchorsOf(ctx, anchor.Connection)
}

// roles tells anchor, further CA certificates and RA certificates of one answer
// apart (F7-G5). The anchor is the self-signed CA certificate or, where the
// answer has none, the CA certificate that no other of them issued (Q12).
func (a *Agent) roles(connection string, certs []*x509.Certificate, source string) ([]newleaf.Anchor, error) {
	var out []newleaf.Anchor
	top := -1
	for _, c := range certs {
		p, err := newleaf.Parse(c.Raw)
		if err != nil {
			return nil, err
		}
		n := newleaf.Anchor{ID: newleaf.IDOf(c.Raw), DER: c.Raw, Connection: connection, Role: newleaf.RoleRA, Added: a.Now(), Source: source, Parsed: p}
		if p.IsCA {
			n.Role = newleaf.RoleChain
			issued := slices.ContainsFunc(certs, func(o *x509.Certificate) bool {
				return !o.Equal(c) && o.IsCA && string(o.RawSubject) == string(c.RawIssuer)
			})
			if !issued && (top < 0 || p.SelfVerified && !out[top].SelfVerified) {
				top = len(out)
			}
		}
		out = append(out, n)
	}
	if top < 0 {
		return nil, newleaf.Errorf(newleaf.CodeBadAnswer, "the authority's answer holds %d certificates and none is a CA certificate", len(certs))
	}
	out[top].Role = newleaf.RoleAnchor
	return out, nil
}

// plainThumbprint takes the forms people paste: colons, spaces, capitals.
func plainThumbprint(s string) string {
	return strings.ToLower(strings.NewReplacer(":", "", " ", "", "-", "").Replace(s))
}

// ConfirmAnchors makes the fetched certificates of a connection trusted; a person
// has compared the thumbprint.
func (a *Agent) ConfirmAnchors(ctx context.Context, connection string) ([]newleaf.AnchorInfo, error) {
	err := a.Store.Write(ctx, func(tx *store.Tx) error {
		held, err := tx.Anchors()
		if err != nil {
			return err
		}
		n := 0
		for _, h := range held {
			if h.Connection != connection {
				continue
			}
			n++
			if h.Confirmed {
				continue
			}
			h.Confirmed = true
			if err := tx.PutAnchor(h); err != nil {
				return err
			}
			if err := a.note(tx, newleaf.Event{Kind: newleaf.EventAnchor, By: newleaf.ActorOf(ctx).Name,
				Text: fmt.Sprintf("%q was confirmed for connection %q, SHA-256 %s", h.Subject, connection, h.SHA256)}); err != nil {
				return err
			}
		}
		if n == 0 {
			return newleaf.Errorf(newleaf.CodeNoAnchor, "no CA certificate was fetched for connection %q", connection)
		}
		return a.unstick(tx)
	})
	if err != nil {
		return nil, err
	}
	a.Wake()
	return a.anchorsOf(ctx, connection)
}

// AnchorList lists all, of every connection.
func (a *Agent) AnchorList(ctx context.Context) ([]newleaf.AnchorInfo, error) {
	out := []newleaf.AnchorInfo{}
	return out, a.Store.Read(ctx, func(tx *store.Tx) error {
		all, err := tx.Anchors()
		for _, n := range all {
			out = append(out, anchorInfo(n))
		}
		return err
	})
}

func (a *Agent) anchorsOf(ctx context.Context, connection string) ([]newleaf.AnchorInfo, error) {
	all, err := a.AnchorList(ctx)
	return slices.DeleteFunc(all, func(i newleaf.AnchorInfo) bool { return i.Connection != connection }), err
}

// AddAnchor registers CA certificates that a person brings, which confirms them
// and no others.
func (a *Agent) AddAnchor(ctx context.Context, connection string, text []byte) ([]newleaf.AnchorInfo, error) {
	var certs []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, newleaf.Errorf(newleaf.CodeInvalid, "the CA certificate cannot be read: %w", err)
		}
		certs = append(certs, c)
	}
	if len(certs) == 0 {
		return nil, newleaf.Errorf(newleaf.CodeInvalid, "the file holds no certificate in PEM form")
	}
	set, err := a.roles(connection, certs, "added by hand")
	if err != nil {
		return nil, err
	}
	return a.register(ctx, set, func(newleaf.Anchor) bool { return true })
}

// RemoveAnchor takes a certificate out of the trusted ones, for all connections.
func (a *Agent) RemoveAnchor(ctx context.Context, id newleaf.ID) error {
	return a.Store.Write(ctx, func(tx *store.Tx) error {
		all, err := tx.Anchors()
		if err != nil {
			return err
		}
		var found []newleaf.Anchor
		for _, n := range all {
			if len(id) >= 8 && strings.HasPrefix(string(n.ID), string(id)) {
				found = append(found, n)
			}
		}
		if len(found) == 0 {
			return newleaf.Errorf(newleaf.CodeNotFound, "there is no CA certificate %q", id).WithHint("List them with \"newleaf anchor list\".")
		}
		for _, n := range found {
			if err := tx.DeleteAnchor(n.ID, n.Connection); err != nil {
				return err
			}
			if err := a.note(tx, newleaf.Event{Kind: newleaf.EventAnchor, By: newleaf.ActorOf(ctx).Name,
				Text: fmt.Sprintf("%q is no longer trusted for connection %q", n.Subject, n.Connection)}); err != nil {
				return err
			}
		}
		return nil
	})
}

func anchorInfo(n newleaf.Anchor) newleaf.AnchorInfo {
	return newleaf.AnchorInfo{ID: n.ID, Connection: n.Connection, Role: n.Role, Confirmed: n.Confirmed, Subject: n.Subject, Issuer: n.Issuer,
		NotBefore: n.NotBefore, NotAfter: n.NotAfter, Serial: n.Serial, SHA1: n.SHA1, SHA256: n.SHA256, Source: n.Source, Added: n.Added, PEM: pemOf(n.DER)}
}
