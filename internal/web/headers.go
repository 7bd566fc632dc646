package web

import (
	"net/http"
	"strings"

	"newleaf"
)

// Secure gives every answer the headers that browsers need to be safe from each
// other's pages, and refuses changing requests that another site's page sent
// (ENT-27). A page may replace the Content-Security-Policy by one of its own.
func Secure(next http.Handler) http.Handler {
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		Refuse(w, newleaf.Errorf(newleaf.CodeForbidden, "the request comes from a page of another site").
			WithHint("Send it from the device's own pages or from a program."))
	}))
	guarded := cross.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		if strings.HasPrefix(r.URL.Path, "/api/") {
			h.Set("Cache-Control", "no-store")
		}
		guarded.ServeHTTP(w, r)
	})
}
