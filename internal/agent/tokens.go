package agent

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"

	"newleaf"
	"newleaf/internal/store"
)

// CreateToken makes a token for the API. The secret is returned once; only its
// SHA-256 is kept, which is enough for 256 random bits.
func (a *Agent) CreateToken(ctx context.Context, n newleaf.NewToken) (t newleaf.Token, secret string, err error) {
	if err := newleaf.ValidName(n.Name); err != nil {
		return t, "", err
	}
	if n.Role != newleaf.Administrator && n.Role != newleaf.Viewer {
		return t, "", newleaf.Errorf(newleaf.CodeInvalid, "there is no role %q", n.Role).WithHint("Use administrator or viewer.")
	}
	if n.Days < 1 || n.Days > 3650 {
		return t, "", newleaf.Errorf(newleaf.CodeInvalid, "a token for %d days is not between 1 and 3650", n.Days)
	}
	var id [6]byte
	var key [32]byte
	_, _ = rand.Read(id[:]) // never fails
	_, _ = rand.Read(key[:])
	t = newleaf.Token{ID: hex.EncodeToString(id[:]), Name: n.Name, Role: n.Role, Created: a.Now().UTC(), Expires: a.Now().UTC().AddDate(0, 0, n.Days)}
	secret = "nl_" + t.ID + "_" + base64.RawURLEncoding.EncodeToString(key[:])
	hash := sha256.Sum256([]byte(secret))
	err = a.Store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.PutToken(t, hash[:]); err != nil {
			return err
		}
		return a.note(tx, newleaf.Event{Kind: newleaf.EventToken, By: newleaf.ActorOf(ctx).Name,
			Text: fmt.Sprintf("token %s (%q, %s) was created", t.ID, t.Name, t.Role)})
	})
	return t, secret, err
}

// TokenList lists the tokens, expired ones too.
func (a *Agent) TokenList(ctx context.Context) (out []newleaf.Token, err error) {
	err = a.Store.Read(ctx, func(tx *store.Tx) error {
		out, err = tx.Tokens()
		return err
	})
	return out, err
}

// RevokeToken ends a token at once.
func (a *Agent) RevokeToken(ctx context.Context, id string) error {
	return a.Store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.DeleteToken(id); err != nil {
			return err
		}
		return a.note(tx, newleaf.Event{Kind: newleaf.EventToken, By: newleaf.ActorOf(ctx).Name, Text: fmt.Sprintf("token %s was revoked", id)})
	})
}

// Lookup finds the token with this hash; it serves internal/web. Over the network
// nobody may even look before there is an administrator (contract, "No holder of
// tls").
func (a *Agent) Lookup(ctx context.Context, hash []byte) (t newleaf.Token, found bool, err error) {
	err = a.Store.Read(ctx, func(tx *store.Tx) error {
		if t, found, err = tx.TokenByHash(hash); err != nil || !found || t.Role == newleaf.Administrator {
			return err
		}
		all, err := tx.Tokens()
		found = slices.ContainsFunc(all, func(o newleaf.Token) bool { return o.Role == newleaf.Administrator && a.Now().Before(o.Expires) })
		return err
	})
	return t, found, err
}
