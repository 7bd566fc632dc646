package newleaf_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The rules of the house. What each room may import stands in the table of rooms
// in docs/architecture.md, what may be larger than usual in the tables of
// docs/adr: this test reads both and compares them with the code.
const (
	fileLines     = 500  // of any file
	functionLines = 80   // of a function outside tests
	packageLines  = 2000 // of code, without blank lines, comments and tests
)

// sources are all Go files, parsed once.
type source struct {
	path, dir string
	test      bool // a _test.go file, or of the package that only tests use
	external  bool // of a package _test
	text      string
	file      *ast.File
	lines     *token.File
}

const testsOnly = "internal/newleaftest"

func readSources(t *testing.T) (all []source) {
	t.Helper()
	set := token.NewFileSet()
	for _, name := range files(t) {
		if !strings.HasSuffix(name, ".go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parser.ParseFile(set, name, text, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		test := strings.HasSuffix(name, "_test.go")
		all = append(all, source{path: name, dir: path.Dir(name), test: test || path.Dir(name) == testsOnly,
			external: test && strings.HasSuffix(f.Name.Name, "_test"), text: string(text), file: f, lines: set.File(f.Pos())})
	}
	return all
}

// files lists the files of the repository.
func files(t *testing.T) (names []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.Name() == ".git":
			return fs.SkipDir
		case d.Type().IsRegular():
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func (s source) imports() (paths []string) {
	for _, i := range s.file.Imports {
		p, _ := strconv.Unquote(i.Path.Value) // the parser has checked it
		paths = append(paths, p)
	}
	return paths
}

// outside reports an import that is neither ours nor of the standard library.
func outside(p string) bool { return strings.Contains(strings.Split(p, "/")[0], ".") }

// room is the folder of one of our packages: "." for the root.
func room(p string) (dir string, ours bool) {
	if p == "newleaf" {
		return ".", true
	}
	return strings.CutPrefix(p, "newleaf/")
}

// roomRule is a row of the table of rooms: what a folder may import.
type roomRule struct {
	anything bool
	rooms    []string
	outside  []string
}

// roomRules are the rows by folder; "x/..." is x with all below it.
type roomRules map[string]roomRule

// of finds the row of a folder.
func (r roomRules) of(dir string) (roomRule, bool) {
	if rule, found := r[dir]; found {
		return rule, true
	}
	for at := dir; at != "."; at = path.Dir(at) {
		if rule, found := r[at+"/..."]; found {
			return rule, true
		}
	}
	return roomRule{}, false
}

var quoted = regexp.MustCompile("`([^`]+)`")

// rows returns the cells of the table rows of a Markdown file that begin with a
// name in backquotes, under the heading.
func rows(t *testing.T, name, heading string) (out [][]string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	_, text2, found := strings.Cut("\n"+string(text), "\n"+heading+"\n")
	if !found {
		t.Fatalf("%s has no heading %q: put it back, the rules are read from the table under it", name, heading)
	}
	section, _, _ := strings.Cut(text2, "\n## ")
	for line := range strings.SplitSeq(section, "\n") {
		if strings.HasPrefix(line, "| `") {
			out = append(out, strings.Split(strings.Trim(line, "| "), " | "))
		}
	}
	return out
}

func names(cell string) (out []string) {
	for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
		out = append(out, m[1])
	}
	return out
}

func readRooms(t *testing.T) roomRules {
	rules := roomRules{}
	for _, cells := range rows(t, "docs/architecture.md", "## Rooms") {
		if len(cells) != 4 {
			t.Fatalf("the row of %s in docs/architecture.md has %d cells: give it four, folder, owns, our rooms, outside", cells[0], len(cells))
		}
		r := rules[names(cells[0])[0]]
		r.anything, r.outside = cells[2] == "everything", names(cells[3])
		for _, n := range names(cells[2]) {
			dir, ours := room(n)
			if !ours {
				dir = path.Join("internal", n)
			}
			r.rooms = append(r.rooms, dir)
		}
		rules[names(cells[0])[0]] = r
	}
	return rules
}

func TestHouse(t *testing.T) {
	all := readSources(t)
	t.Run("rooms import what the table of rooms says", func(t *testing.T) { testRooms(t, all, readRooms(t)) })
	t.Run("an outside package has one importer", func(t *testing.T) { testOneImporter(t, all) })
	t.Run("the root knows no machine", func(t *testing.T) { testRoot(t, all) })
	t.Run("only programs read the clock", func(t *testing.T) { testClock(t, all) })
	t.Run("nothing is larger than argued for", func(t *testing.T) { testSizes(t, all) })
	t.Run("names say what a thing is", func(t *testing.T) { testNames(t, all) })
	t.Run("the vocabulary and the contracts are documented", func(t *testing.T) { testComments(t, all) })
	t.Run("no file names the place it was written at", testPlaces)
}

func testRooms(t *testing.T, all []source, rules roomRules) {
	used := map[string]bool{} // "room import"
	for _, s := range all {
		rule, known := rules.of(s.dir)
		if !known {
			t.Errorf("%s is in a room that docs/architecture.md does not know: add %s to the table of rooms with what it owns and imports, or move the file", s.path, s.dir)
			continue
		}
		for _, p := range s.imports() {
			dir, ours := room(p)
			switch {
			case ours && dir == testsOnly && !s.external:
				t.Errorf("%s imports %s: only a test of an external package (package x_test) may, so that the program never carries it", s.path, p)
			case s.test || rule.anything && ours:
			case ours && !slices.Contains(rule.rooms, dir):
				t.Errorf("%s imports %s, which %s may not: hand it in as an argument or an interface from above, or change the table of rooms with an ADR", s.path, p, s.dir)
			case outside(p) && !slices.Contains(rule.outside, p):
				t.Errorf("%s imports %s, which the table of rooms does not grant %s: use what the room that has it offers, or change the table and docs/adr/0002", s.path, p, s.dir)
			}
			used[s.dir+" "+dir], used[s.dir+" "+p] = true, true
		}
	}
	for dir, rule := range rules {
		below := strings.TrimSuffix(dir, "...")
		if !slices.ContainsFunc(all, func(s source) bool { return s.dir == dir || below != dir && strings.HasPrefix(s.dir+"/", below) }) {
			t.Errorf("docs/architecture.md has the room %s, but it holds no Go file: strike the row", dir)
		}
		for _, i := range slices.Concat(rule.rooms, rule.outside) {
			if !used[dir+" "+i] {
				t.Errorf("docs/architecture.md says that %s imports %s, but nothing there does: strike it", dir, i)
			}
		}
	}
}

// Modules that only tests use; any test may.
var testModules = regexp.MustCompile(`^(github\.com/google/go-cmp|pgregory\.net/rapid|github\.com/rogpeppe/go-internal/testscript)`)

func testOneImporter(t *testing.T, all []source) {
	importers := map[string][]string{}
	for _, s := range all {
		for _, p := range s.imports() {
			switch {
			case testModules.MatchString(p) && !s.test:
				t.Errorf("%s imports %s, which is for tests: the program must not carry it", s.path, p)
			case outside(p) && !testModules.MatchString(p) && !slices.Contains(importers[p], s.dir):
				importers[p] = append(importers[p], s.dir)
			}
		}
	}
	for p, dirs := range importers {
		if len(dirs) > 1 {
			t.Errorf("%s is imported by %s: let one of them own it and offer the others what they need", p, strings.Join(dirs, " and "))
		}
	}
}

// opensSomething reports a package of the machine. net/netip and net/url only
// parse (docs/adr/0001).
func opensSomething(p string) bool {
	switch p {
	case "net/netip", "net/url":
		return false
	case "syscall", "flag", "crypto/rand", "database/sql":
		return true
	}
	return slices.Contains([]string{"os", "net", "log"}, strings.Split(p, "/")[0])
}

func testRoot(t *testing.T, all []source) {
	for _, s := range all {
		if s.dir != "." || s.test {
			continue
		}
		for _, p := range s.imports() {
			if opensSomething(p) || outside(p) {
				t.Errorf("%s imports %s: the root decides and does nothing; let the agent look and give the root what it saw", s.path, p)
			}
		}
	}
}

func testClock(t *testing.T, all []source) {
	for _, s := range all {
		if s.test || s.dir == "cmd/newleaf" || strings.HasPrefix(s.dir, "bench/") || strings.HasPrefix(s.dir, "scripts/") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains([]string{"Now", "Since", "Until"}, sel.Sel.Name) {
				t.Errorf("%s:%d reads the clock with time.%s: take now as an argument, or a func() time.Time", s.path, s.lines.Line(sel.Pos()), sel.Sel.Name)
			}
			return true
		})
	}
}

// argued are the sizes that an ADR argues for: by path, the number of lines.
func argued(t *testing.T) map[string]int {
	out := map[string]int{}
	for _, cells := range rows(t, "docs/adr/0006-sizes.md", "## What may be larger") {
		n, err := strconv.Atoi(strings.ReplaceAll(cells[1], ",", ""))
		if err != nil {
			t.Fatalf("docs/adr/0006-sizes.md: %q is no number of lines: %v", cells[1], err)
		}
		out[names(cells[0])[0]] = n
	}
	return out
}

func testSizes(t *testing.T, all []source) {
	may := argued(t)
	limit := func(name string, usual int) int { return max(may[name], usual) }
	packages := map[string]int{}
	for _, s := range all {
		if n := strings.Count(s.text, "\n"); n > limit(s.path, fileLines) {
			t.Errorf("%s has %d lines of at most %d: split it by what it is about, or argue for it in docs/adr/0006", s.path, n, limit(s.path, fileLines))
		}
		if s.test {
			continue
		}
		packages[s.dir] += codeLines(s.text)
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := s.lines.Line(f.End()) - s.lines.Line(f.Pos()) + 1; n > functionLines {
				t.Errorf("%s: %s has %d lines of at most %d: give its parts names", s.path, f.Name.Name, n, functionLines)
			}
		}
	}
	for dir, n := range packages {
		if n > limit(dir, packageLines) {
			t.Errorf("%s has %d lines of code of at most %d: split it, or argue for it in docs/adr/0006", dir, n, limit(dir, packageLines))
		}
		if m, ok := may[dir]; ok && n <= packageLines {
			t.Errorf("%s has %d lines of code: strike its %d from docs/adr/0006, it needs no argument any more", dir, n, m)
		}
	}
}

// codeLines counts the lines that hold more than a comment.
func codeLines(text string) (n int) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			n++
		}
	}
	return n
}

var emptyName = regexp.MustCompile(`^(util|common|helper|manager|service|impl|misc|base|lib|shared|types)s?$`)

func testNames(t *testing.T, all []source) {
	seen := map[string]bool{}
	for _, s := range all {
		name := strings.TrimSuffix(s.file.Name.Name, "_test")
		if emptyName.MatchString(name) && !seen[s.dir] {
			t.Errorf("package %s in %s says nothing: name it after the one thing it owns", name, s.dir)
		}
		seen[s.dir] = true
		if want := path.Base(s.dir); s.dir != "." && name != want && name != "main" {
			t.Errorf("%s is of package %s: call it %s, as its folder", s.path, name, want)
		}
	}
}

// testComments wants a comment on everything that others use of the root and of
// the contracts. A constant may be explained by its type or its group.
func testComments(t *testing.T, all []source) {
	for _, s := range all {
		if s.test || !slices.Contains([]string{".", "internal/enroll", "internal/deploy"}, s.dir) {
			continue
		}
		want := func(name *ast.Ident, comments ...*ast.CommentGroup) {
			has := slices.ContainsFunc(comments, func(c *ast.CommentGroup) bool { return c != nil })
			if name.IsExported() && !has {
				t.Errorf("%s:%d: %s has no comment: say what it is, its unit, and what the caller must know", s.path, s.lines.Line(name.Pos()), name.Name)
			}
		}
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil || exportedReceiver(d) && d.Name.Name != "Error" {
					want(d.Name, d.Doc)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						want(spec.Name, d.Doc, spec.Doc, spec.Comment)
					case *ast.ValueSpec:
						for _, name := range spec.Names {
							if spec.Type == nil || d.Tok == token.VAR {
								want(name, d.Doc, spec.Doc, spec.Comment)
							}
						}
					}
				}
			}
		}
	}
}

func exportedReceiver(f *ast.FuncDecl) bool {
	typ := f.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	name, ok := typ.(*ast.Ident)
	return ok && name.IsExported()
}

// testPlaces finds paths of the machine that the code was written on. The words
// are put together here so that the test does not find itself.
func testPlaces(t *testing.T) {
	place := regexp.MustCompile(fmt.Sprintf(`/%s/(main|shared|\.%s)|\.%s/|/%s/brief|/%s/[a-z]+/`, "work", "library", "library", "tmp", "home"))
	for _, name := range files(t) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(text, 0) >= 0 {
			continue // a program that was built here
		}
		for i, line := range strings.Split(string(text), "\n") {
			if found := place.FindString(line); found != "" {
				t.Errorf("%s:%d names %s: whoever has only this repository cannot follow it", name, i+1, found)
			}
		}
	}
}
