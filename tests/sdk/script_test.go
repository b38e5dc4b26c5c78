package sdk

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A scenario is a file of steps, each a line that begins with who is meant:
//
//	kate> COMMAND      kate's guest carries it out and answers what the next line says
//	kate~ COMMAND      the same again and again, until it answers that
//	kate& COMMAND      it carries it out, and answers later if at all
//	kate.              it answers what the next line says
//	kate!              it ends with the reason on the next line
//	node+ NAME         a node of that name starts
//	node- NAME         it stops
//
// In a command $x is a variable. In an answer it is one too, or if it has no value
// yet gets the word that is there; * is anything. Lines with # are comments.
type scenario struct {
	name  string
	steps []step
}

type step struct {
	line int
	who  string
	verb byte
	text string // the command
	want string // the answer
}

var stepLine = regexp.MustCompile(`^(\w+)([>~&.!+-])(?: (.*))?$`)

// scenarios reads all scenarios.
func scenarios(t *testing.T) (all []scenario) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s := scenario{name: strings.TrimSuffix(filepath.Base(file), ".txt")}
		if s.steps, err = parse(string(b)); err != nil {
			t.Fatalf("%s:%v", file, err)
		}
		all = append(all, s)
	}
	return all
}

func parse(text string) (steps []step, err error) {
	answered := true
	for i, line := range strings.Split(text, "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		if !answered {
			steps[len(steps)-1].want = line
			answered = true
			continue
		}
		m := stepLine.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("%d: %q is no step", i+1, line)
		}
		steps = append(steps, step{line: i + 1, who: m[1], verb: m[2][0], text: m[3]})
		answered = strings.Contains("&+-", m[2])
	}
	if !answered {
		return nil, fmt.Errorf("the last step has no answer")
	}
	return steps, nil
}

// variables are those of a scenario.
type variables map[string]string

var variable = regexp.MustCompile(`\$\w+`)

// expand puts the values into a command.
func (v variables) expand(text string) (string, error) {
	var err error
	return variable.ReplaceAllStringFunc(text, func(name string) string {
		if _, ok := v[name]; !ok {
			err = fmt.Errorf("%s has no value", name)
		}
		return v[name]
	}), err
}

// match compares an answer with what is wanted, and keeps new values.
func (v variables) match(want, got string) bool {
	var pattern strings.Builder
	var fresh []string
	pattern.WriteByte('^')
	for want != "" {
		at := variable.FindStringIndex(want)
		if at == nil {
			at = []int{len(want), len(want)}
		}
		pattern.WriteString(strings.ReplaceAll(regexp.QuoteMeta(want[:at[0]]), `\*`, ".*"))
		if name := want[at[0]:at[1]]; name != "" {
			if value, ok := v[name]; ok {
				pattern.WriteString(regexp.QuoteMeta(value))
			} else {
				pattern.WriteString(`(\S+)`)
				fresh = append(fresh, name)
			}
		}
		want = want[at[1]:]
	}
	m := regexp.MustCompile(pattern.String() + "$").FindStringSubmatch(got)
	if m == nil {
		return false
	}
	for i, name := range fresh {
		v[name] = m[i+1]
	}
	return true
}

func TestScripts(t *testing.T) {
	v := variables{"$a": "1"}
	for _, test := range []struct {
		want, got string
		ok        bool
	}{
		{"ok $a", "ok 1", true}, {"ok $a", "ok 2", false}, {"ok $b -", "ok 7 -", true}, {"ok $b", "ok 8", false},
		{"ok *x*", "ok 3x4", true}, {"ok *x", "ok 3x4", false}, {"ok", "ok ", false}, {"ok (.)", "ok x", false},
	} {
		if got := v.match(test.want, test.got); got != test.ok {
			t.Errorf("%q and %q: %v", test.want, test.got, got)
		}
	}
	if s, err := v.expand("send $b $a"); err != nil || s != "send 7 1" {
		t.Errorf("%q, %v", s, err)
	}
	if _, err := v.expand("$c"); err == nil {
		t.Error("a variable without a value")
	}
	for _, bad := range []string{"x", "kate> self", "kate>self\nok"} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}
