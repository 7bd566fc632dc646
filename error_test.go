package newleaf

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// constants reads the values of the string constants of a type from a source file.
func constants(t testing.TB, file, typ string) (values []string) {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); ok && name.Name == typ && len(spec.Values) == 1 {
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, value)
		}
		return true
	})
	if len(values) == 0 {
		t.Fatalf("%s has no constants of type %s", file, typ)
	}
	return values
}

func TestCodes(t *testing.T) {
	var listed []string
	for _, row := range Codes() {
		listed = append(listed, string(row.Code))
		t.Run(string(row.Code), func(t *testing.T) {
			if row.Status < 200 || row.Status > 599 || row.Exit != 1 && row.Exit != 2 || !slices.Contains([]Retry{RetrySoon, RetrySlowly, RetryNever}, row.Retry) {
				t.Errorf("%+v", row)
			}
			if row.Means == "" || strings.HasSuffix(row.Means, ".") || !strings.HasSuffix(row.Hint, ".") && !strings.HasSuffix(row.Hint, ").") {
				t.Errorf("means %q, hint %q", row.Means, row.Hint)
			}
			if row.Code.Info() != row {
				t.Errorf("another row is found: %+v", row.Code.Info())
			}
		})
	}
	t.Run("every code has one row", func(t *testing.T) {
		declared := constants(t, "error.go", "Code")
		if !slices.Equal(declared, listed) {
			t.Errorf("declared %v, listed %v", declared, listed)
		}
		slices.Sort(declared)
		if len(slices.Compact(declared)) != len(listed) {
			t.Error("a code is there twice")
		}
	})
	t.Run("the table cannot be changed", func(t *testing.T) {
		Codes()[0].Means = "changed"
		if CodeInternal.Info().Means == "changed" {
			t.Error("it was")
		}
	})
	t.Run("an unknown code counts as internal", func(t *testing.T) {
		if i := Code("new").Info(); i.Code != "new" || i.Status != 500 || i.Exit != 1 || i.Retry != RetrySoon {
			t.Errorf("%+v", i)
		}
	})
	t.Run("TIM-37 a refusal is not repeated at once", func(t *testing.T) {
		for _, c := range []Code{CodeRefused, CodeUntrusted, CodeBadSignature, CodeForeignKey, CodeOldCert} {
			if c.Info().Retry == RetrySoon {
				t.Error(c)
			}
		}
	})
	t.Run("what a person must decide is not repeated", func(t *testing.T) {
		for _, c := range []Code{CodeMayHold, CodeRAChanged, CodeNoAnchor, CodeUnconfirmed, CodeNoConnection, CodeNoRequest, CodeWeak} {
			if c.Info().Retry != RetryNever {
				t.Error(c)
			}
		}
	})
}

func TestError(t *testing.T) {
	t.Run("a sentence, the code's hint, the cause", func(t *testing.T) {
		err := Errorf(CodeUnreachable, "asking %s: %w", "ca.example", io.ErrUnexpectedEOF)
		if err.Error() != "asking ca.example: unexpected EOF" || err.Hint != CodeUnreachable.Info().Hint || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%+v", err)
		}
	})
	t.Run("no cause", func(t *testing.T) {
		if err := Errorf(CodeInvalid, "no"); err.Unwrap() != nil {
			t.Errorf("%+v", err)
		}
	})
	t.Run("a hint of its own", func(t *testing.T) {
		if err := Errorf(CodeInvalid, "no").WithHint("Use %d.", 7); err.Hint != "Use 7." {
			t.Error(err.Hint)
		}
	})
	wrapped := fmt.Errorf("walking: %w", Errorf(CodeRefused, "no"))
	for _, c := range []struct {
		name string
		err  error
		code Code
		text string
	}{
		{"one of ours", Errorf(CodePinned, "pinned"), CodePinned, "pinned"},
		{"one of ours within", wrapped, CodeRefused, "no"},
		{"a foreign one", io.EOF, CodeInternal, "EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if e := AsError(c.err); e.Code != c.code || e.Text != c.text || CodeOf(c.err) != c.code || e.Code == CodeInternal && !errors.Is(e, c.err) {
				t.Errorf("%+v", e)
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		if AsError(nil) != nil || CodeOf(nil) != "" {
			t.Error(AsError(nil), CodeOf(nil))
		}
	})
}
