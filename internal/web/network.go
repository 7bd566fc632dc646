package web

import (
	"fmt"
	"net/http"
	"time"
)

// Network is what answers on the HTTPS listener: the API with a token, pages for
// the rest.
func Network(api, pages http.Handler, tokens Tokens, now func() time.Time) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/api/", Bearer(api, tokens, now))
	mux.Handle("/", pages)
	return Secure(mux)
}

// Greeting is the only page of a device without pages: it says what answers here
// and how to go on.
func Greeting(device string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintf(w, "newleaf on %s. Use the API with a token, made on the device with \"newleaf token create\".\n", device)
	})
	return mux
}
