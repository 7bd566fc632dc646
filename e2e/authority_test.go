package e2e_test

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// password is the challenge password of every authority here.
const password = "s3cret"

// authority is a running "newleaf ca".
type authority struct {
	*process
	t   testing.TB
	dir string
	url string // of SCEP
}

// startAuthority runs one in dir, which may hold an earlier one's state.
func startAuthority(t testing.TB, dir string, args ...string) *authority {
	t.Helper()
	a := &authority{t: t, dir: dir}
	a.process = launch(t, "newleaf", append([]string{"ca", "--state", dir, "--listen", "127.0.0.1:0", "--challenge", password}, args...)...)
	a.url = a.serving(t)
	return a
}

// get is one of the lab's own pages.
func (a *authority) get(page string) string {
	a.t.Helper()
	return a.call(http.Get(strings.TrimSuffix(a.url, "/scep") + "/lab/" + page))
}

func (a *authority) post(page, body string) string {
	a.t.Helper()
	return a.call(http.Post(strings.TrimSuffix(a.url, "/scep")+"/lab/"+page, "application/json", strings.NewReader(body)))
}

func (a *authority) call(r *http.Response, err error) string {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		a.t.Fatalf("%s: %s, %v\n%s", r.Request.URL, r.Status, err, body)
	}
	return string(body)
}

// issued is a certificate in the authority's register.
type issued struct {
	Serial, Subject, SHA256, TransactionID string
}

// register lists what the authority issued, newest first.
func (a *authority) register() []issued { return decode[[]issued](a.t, a.get("issued")) }

// decided is a line of the authority's request log.
type decided struct {
	At                                      time.Time
	Operation, TransactionID, Decision      string
	Subject, Serial, FailInfo, Reason, Peer string
}

func (a *authority) requests() []decided { return decode[[]decided](a.t, a.get("requests")) }

// asked counts the HTTP requests of an operation, "" for all.
func (a *authority) asked(operation string) (n int) {
	for _, x := range decode[[]struct{ Operation string }](a.t, a.get("exchanges")) {
		if operation == "" || x.Operation == operation {
			n++
		}
	}
	return n
}

// anchor is a file with the issuer's certificate.
func (a *authority) anchor() string {
	a.t.Helper()
	path := filepath.Join(a.dir, "anchor.pem")
	write(a.t, path, a.get("ca.pem"))
	return path
}
