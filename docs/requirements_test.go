package docs_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// ids are all requirements there are, as ranges.
const ids = `
ENT-01..30 DM-01..40 CON-01..12 ISS-01..25 RSV-01..21 DEL-01..21 RST-01..05
UI-001..026 UI-030..036 UI-040..048 UI-060..076 UI-080..083 UI-100..108 TR-01..16
F4-S401..427 F4-G1..2 F5A-S501..504 F5A-G1 F5B-S511..514 F6-S601..604 F6-G1..4 F7-S701..716 F7-G1..7
F8-S801..825 F8-G1..17 F9-S901..903 F9-G1..4 F19-S1901..1910 F19-G1..8 FSI-1..9
TIM-01..46 DLS-01..41 ORD-01..09 PUR-01..12 INV-01..14 AMB-01..54 VAR-01..57
CLM-1a CLM-1b CLM-1c CLM-1d CLM-1e CLM-1f CLM-1g CLM-2..11 CLM-A CLM-P CLM-N`

// expand lists what the ranges stand for.
func expand(ranges string) (out []string) {
	for word := range strings.FieldsSeq(ranges) {
		first, last, isRange := strings.Cut(word, "..")
		digits := strings.LastIndexFunc(first, func(r rune) bool { return r < '0' || r > '9' }) + 1
		if !isRange {
			out = append(out, word)
			continue
		}
		from, _ := strconv.Atoi(first[digits:])
		to, _ := strconv.Atoi(last)
		for n := from; n <= to; n++ {
			out = append(out, fmt.Sprintf("%s%0*d", first[:digits], len(first)-digits, n))
		}
	}
	return out
}

// row is one requirement of requirements.md. It is shown by tests, open, or
// declined; of an open one a part may be shown already.
type row struct {
	line             int
	id, words, state string
	tests            []reference
}

// reference names a test: a package's folder and the beginning of the test's
// name. A subtest's ID is enough: "TestIssue/DLS-08".
type reference struct{ folder, test string }

var (
	cellForm  = regexp.MustCompile("^(?:(?:`[^`]+`(?:, )?)+|open: part [1-4](?:, so far (?:`[^`]+`(?:, )?)+)?|declined: .+)$")
	quoted    = regexp.MustCompile("`([^`]+)`")
	firstCell = regexp.MustCompile(`^[A-Z][A-Z0-9]*-[A-Za-z0-9]+$`)
)

func readRows(t *testing.T) (rows []row) {
	t.Helper()
	f, err := os.Open("requirements.md")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		cells := strings.Split(strings.Trim(lines.Text(), "| "), " | ")
		if !strings.HasPrefix(lines.Text(), "| ") || !firstCell.MatchString(cells[0]) {
			continue
		}
		if len(cells) != 3 || !cellForm.MatchString(cells[2]) {
			t.Errorf("requirements.md:%d: %s: write three cells, the last one tests in backquotes, \"open: part N\" or \"declined: why\"", n, cells[0])
			continue
		}
		r := row{line: n, id: cells[0], words: cells[1], state: cells[2]}
		for _, m := range quoted.FindAllStringSubmatch(cells[2], -1) {
			folder, test, found := strings.Cut(m[1], " ")
			if !found {
				t.Errorf("requirements.md:%d: %q is no test: write the folder of its package, a space and its name", n, m[1])
			}
			r.tests = append(r.tests, reference{folder, test})
		}
		rows = append(rows, r)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestRequirements(t *testing.T) {
	rows := readRows(t)
	t.Run("every requirement has one row", func(t *testing.T) {
		count := map[string]int{}
		for _, r := range rows {
			count[r.id]++
			if r.words == "" {
				t.Errorf("requirements.md:%d: say what %s asks for", r.line, r.id)
			}
		}
		for _, id := range expand(ids) {
			if count[id] != 1 {
				t.Errorf("%s has %d rows: give it exactly one", id, count[id])
			}
			delete(count, id)
		}
		for id := range count {
			t.Errorf("there is no requirement %s: strike its row", id)
		}
	})
	t.Run("the sum is right", func(t *testing.T) {
		text, err := os.ReadFile("requirements.md")
		if err != nil {
			t.Fatal(err)
		}
		if want := sum(rows); !strings.Contains(string(text), want) {
			t.Errorf("write into requirements.md: %s", want)
		}
	})
	t.Run("every named test exists", func(t *testing.T) {
		for _, r := range rows {
			for _, ref := range r.tests {
				if err := ref.exists(); err != nil {
					t.Errorf("requirements.md:%d: %s: %v", r.line, r.id, err)
				}
			}
		}
	})
	t.Run("every named test ran and passed", func(t *testing.T) {
		file := os.Getenv("NEWLEAF_RAN")
		if file == "" {
			t.Skip("set NEWLEAF_RAN to the output of \"go test -json ./...\"; scripts/test does")
		}
		ran := readRan(t, file)
		for _, r := range rows {
			for _, ref := range r.tests {
				if err := ref.passed(ran); err != nil {
					t.Errorf("requirements.md:%d: %s: %v", r.line, r.id, err)
				}
			}
		}
	})
}

// sum is the sentence that stands above the rows.
func sum(rows []row) string {
	count := map[string]int{}
	for _, r := range rows {
		switch {
		case strings.HasPrefix(r.state, "open: "):
			count[r.state[:len("open: part N")]]++
		case strings.HasPrefix(r.state, "declined: "):
			count["declined"]++
		default:
			count["shown"]++
		}
	}
	return fmt.Sprintf("%d requirements: %d shown, %d open in part 1, %d in part 2, %d in part 3, %d in part 4, %d declined.",
		len(rows), count["shown"], count["open: part 1"], count["open: part 2"], count["open: part 3"], count["open: part 4"], count["declined"])
}

// dir is the reference's folder as seen from here.
func (r reference) dir() string {
	if r.folder == "newleaf" {
		return ".."
	}
	return filepath.Join("..", filepath.FromSlash(r.folder))
}

// exists looks into the sources: for the function, and for each part of the
// subtest's name, as far as that stands there.
func (r reference) exists() error {
	function, rest, _ := strings.Cut(r.test, "/")
	tests, err := filepath.Glob(filepath.Join(r.dir(), "*_test.go"))
	if err != nil || len(tests) == 0 {
		return fmt.Errorf("the folder %s has no tests", r.folder)
	}
	var text strings.Builder
	for _, name := range tests {
		source, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		text.Write(source)
	}
	if !strings.Contains(text.String(), "\nfunc "+function+"(") {
		return fmt.Errorf("%s has no test %s: name the one that shows it now, or write \"open: part N\"", r.folder, function)
	}
	scripts, _ := filepath.Glob(filepath.Join(r.dir(), "testdata", "*")) // the pattern is well-formed
	for part := range strings.SplitSeq(rest, "/") {
		word, _, _ := strings.Cut(strings.ReplaceAll(part, "_", " "), " ")
		if strings.Contains(text.String(), word) || slices.ContainsFunc(scripts, func(s string) bool { return strings.HasPrefix(filepath.Base(s), word) }) {
			continue
		}
		return fmt.Errorf("no subtest of %s %s is called %q: name the one that shows it now, or write \"open: part N\"", r.folder, function, part)
	}
	return nil
}

// outcomes are the results of tests by package and name.
type outcomes map[string]map[string]string

func readRan(t *testing.T, name string) outcomes {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := outcomes{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e struct{ Action, Package, Test string }
		if json.Unmarshal(lines.Bytes(), &e) != nil || e.Test == "" || !slices.Contains([]string{"pass", "fail", "skip"}, e.Action) {
			continue // output, and what the compiler says
		}
		if out[e.Package] == nil {
			out[e.Package] = map[string]string{}
		}
		out[e.Package][e.Test] = e.Action
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// passed wants at least one test of that name, and all of them passed.
func (r reference) passed(ran outcomes) error {
	pkg := "newleaf/" + r.folder
	if r.folder == "newleaf" {
		pkg = r.folder
	}
	want := strings.ReplaceAll(r.test, " ", "_")
	matches := 0
	for name, result := range ran[pkg] {
		rest, found := strings.CutPrefix(name, want)
		if !found || rest != "" && startsWord(rest) {
			continue
		}
		matches++
		if result != "pass" {
			return fmt.Errorf("%s %s: %s", r.folder, name, map[string]string{"fail": "failed", "skip": "was skipped"}[result])
		}
	}
	if matches == 0 {
		return fmt.Errorf("%s %s did not run: name the test that shows it now, or write \"open: part N\"", r.folder, r.test)
	}
	return nil
}

// startsWord reports that a name goes on, so that DLS-1 does not stand for DLS-10.
func startsWord(rest string) bool {
	c := rest[0]
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
