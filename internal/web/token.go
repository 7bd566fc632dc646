package web

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"newleaf"
)

// Tokens finds a token by the SHA-256 of its whole text. The agent supplies it.
type Tokens interface {
	Lookup(ctx context.Context, hash []byte) (newleaf.Token, bool, error)
}

// TokenText is a token as its owner sends it: nl_<id>_<secret>.
func TokenText(id, secret string) string { return "nl_" + id + "_" + secret }

// TokenHash is what is stored of a token. Its secret is random and long, so a
// plain hash needs no salt and no stretching.
func TokenHash(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// Bearer lets in requests that bring a token (RFC 6750, 2.1), as actor
// "token:NAME". Who fails often waits: see [failures].
func Bearer(next http.Handler, tokens Tokens, now func() time.Time) http.Handler {
	failed := newFailures(now)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from := remoteHost(r)
		if wait := failed.wait(from); wait > 0 {
			seconds := int(wait/time.Second) + 1
			w.Header().Set("Retry-After", strconv.Itoa(seconds))
			Refuse(w, WithStatus(http.StatusTooManyRequests, newleaf.Errorf(newleaf.CodeUnauthorized,
				"too many tokens from %s were wrong", from).WithHint("Wait %d s before you try again.", seconds)))
			return
		}
		token, err := verify(r.Context(), r.Header.Get("Authorization"), tokens, now())
		if err != nil {
			if newleaf.CodeOf(err) == newleaf.CodeUnauthorized && r.Header.Get("Authorization") != "" {
				failed.add(from)
			}
			Refuse(w, err)
			return
		}
		actor := newleaf.Actor{Name: "token:" + token.Name, Role: token.Role}
		next.ServeHTTP(w, r.WithContext(newleaf.WithActor(r.Context(), actor)))
	})
}

func verify(ctx context.Context, header string, tokens Tokens, now time.Time) (newleaf.Token, error) {
	if header == "" {
		return newleaf.Token{}, newleaf.Errorf(newleaf.CodeUnauthorized, "the request brings no token").
			WithHint("Send \"Authorization: Bearer ...\"; a token is made on the device with \"newleaf token create\".")
	}
	scheme, text, _ := strings.Cut(header, " ")
	text = strings.TrimSpace(text)
	id, ok := tokenID(text)
	if !strings.EqualFold(scheme, "Bearer") || !ok {
		return newleaf.Token{}, newleaf.Errorf(newleaf.CodeUnauthorized, "the Authorization header has no token of newleaf").
			WithHint("Write it as \"Authorization: Bearer nl_...\".")
	}
	token, found, err := tokens.Lookup(ctx, TokenHash(text))
	if err != nil {
		return newleaf.Token{}, err
	}
	if !found || subtle.ConstantTimeCompare([]byte(token.ID), []byte(id)) != 1 {
		return newleaf.Token{}, newleaf.Errorf(newleaf.CodeUnauthorized, "the token is not known")
	}
	if !now.Before(token.Expires) {
		return newleaf.Token{}, newleaf.Errorf(newleaf.CodeUnauthorized, "the token %q has expired", token.Name).
			WithHint("Make a new one on the device with \"newleaf token create\".")
	}
	return token, nil
}

// tokenID takes the ID out of nl_<id>_<secret>.
func tokenID(text string) (string, bool) {
	rest, ok := strings.CutPrefix(text, "nl_")
	id, secret, both := strings.Cut(rest, "_")
	return id, ok && both && id != "" && secret != "" && len(text) <= 256
}

// remoteHost is the client's address without the port.
func remoteHost(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
