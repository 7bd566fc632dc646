package docs_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"

	"newleaf"
)

var update = flag.Bool("update", false, "write the generated pages")

// TestGenerated compares the generated pages with the tables they come from.
func TestGenerated(t *testing.T) {
	for name, text := range map[string]string{"errors.md": errorsPage(), "events.md": eventsPage(t)} {
		t.Run(name, func(t *testing.T) {
			if *update {
				if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			have, err := os.ReadFile(name)
			if err != nil || string(have) != text {
				t.Errorf("docs/%s is not what its table says now (%v): run go test ./docs -update", name, err)
			}
		})
	}
}

const generated = "Generated from `%s` by `go test ./docs -update`; change it there.\n\n"

func errorsPage() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Error codes\n\n"+generated, "error.go")
	b.WriteString("The code stands in the API's problems, in the journal and in `-o json`; it is never translated. \"Retry\" is what an unattended renewal does after it:\n" +
		"soon (growing delays), slowly (at most eight requests a day), never (a person has to act first).\n\n" +
		"| Code | HTTP | Exit | Retry | Means | What to do |\n|---|---|---|---|---|---|\n")
	for _, c := range newleaf.Codes() {
		fmt.Fprintf(&b, "| `%s` | %d | %d | %s | %s | %s |\n", c.Code, c.Status, c.Exit, c.Retry, c.Means, c.Hint)
	}
	return b.String()
}

// eventsPage lists the constants of type EventKind with their comments.
func eventsPage(t *testing.T) string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "../event.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Events\n\n"+generated, "event.go")
	b.WriteString("Each entry of the journal has one of these kinds. `newleaf events` shows them, `newleaf events --follow -o json` prints them as they happen.\n\n" +
		"| Kind | Says |\n|---|---|\n")
	rows := 0
	for _, d := range f.Decls {
		group, ok := d.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		for _, s := range group.Specs {
			c := s.(*ast.ValueSpec)
			if typ, ok := c.Type.(*ast.Ident); !ok || typ.Name != "EventKind" {
				continue
			}
			kind, err := strconv.Unquote(c.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			says := strings.TrimSpace(c.Comment.Text())
			if says == "" {
				says = strings.ReplaceAll(kind, "-", " ")
			}
			fmt.Fprintf(&b, "| `%s` | %s |\n", kind, says)
			rows++
		}
	}
	if rows == 0 {
		t.Fatal("event.go has no constant of type EventKind: tell this test where they are now")
	}
	return b.String()
}
