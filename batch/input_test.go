package batch_test

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/wnode-project/wnode/batch"
)

var templates = []struct {
	args   []string
	values []string
	want   []string
}{
	{nil, []string{"a"}, []string{"a"}},
	{[]string{"x"}, []string{"a", "b"}, []string{"x", "a", "b"}},
	{[]string{"{}"}, []string{"a b"}, []string{"a b"}},
	{[]string{"x{}y"}, []string{"a", "b"}, []string{"xa", "by"}},
	{[]string{"{.}", "{/}", "{//}", "{/.}"}, []string{"d/e.f/g.tar.gz"}, []string{"d/e.f/g.tar", "g.tar.gz", "d/e.f", "g.tar"}},
	{[]string{"{.}", "{/}", "{//}", "{/.}"}, []string{"e.f/g"}, []string{"e.f/g", "g", "e.f", "g"}},
	{[]string{"{.}", "{/}", "{//}", "{/.}"}, []string{"/x."}, []string{"/x", "x.", "/", "x"}},
	{[]string{"{.}-{/}-{//}-{/.}"}, []string{"a//b/"}, []string{"a//b/--a-"}},
	{[]string{"{#}"}, []string{"a"}, []string{"7"}},
	{[]string{"{2.}{1}"}, []string{"a", "b.c"}, []string{"ba"}},
	{[]string{"{a}", "{", "}", "{}"}, []string{"v"}, []string{"{a}", "{", "}", "v"}},
	{[]string{"{{}}"}, []string{"v"}, []string{"{v}"}},
	{[]string{"-{}-{}"}, []string{""}, []string{"--"}},
}

func TestTemplate(t *testing.T) {
	for _, c := range templates {
		tmpl := batch.NewTemplate(c.args)
		if got := tmpl.Args(7, c.values); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q of %q is %q, want %q", c.args, c.values, got, c.want)
		}
	}
}

// All placeholders of all values are what GNU parallel makes of them.
func TestTemplateAsGNU(t *testing.T) {
	gnu := gnuParallel(t)
	args := []string{"{#}", "x{}y", "{a}", "{", "}", "{{}}", "-{}-{}"}
	for edit := range strings.SplitSeq(" . / // /.", " ") {
		args = append(args, "{"+edit+"}", "{1"+edit+"}", "{1"+edit+"}-{"+edit+"}")
	}
	names := []string{"a", "a b", "", ".", "/", "//", "a/", "a.", ".h", "/x.", "d/e.f/g.tar.gz", "e.f/g", "a//b/", "a//b", "./x.y", "ä.ö"}
	for _, lists := range [][][]string{{names}, {{"a", "b.c"}, {"d/e.f"}}} {
		line := append([]string{"-k", "printf", "'[%s]'"}, args...)
		for _, l := range lists {
			line = append(append(line, ":::"), l...)
		}
		want := ""
		for _, task := range all(t, batch.NewTemplate(args).Tasks(batch.Product(lists), false)) {
			want += "[" + strings.Join(task.Args, "][") + "]"
		}
		if got := run(t, gnu, line...); got != want {
			t.Errorf("GNU parallel %q prints\n%s, this makes\n%s", line, got, want)
		}
	}
}

// gnuParallel returns the path of GNU parallel, or skips.
func gnuParallel(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("GNU parallel takes half a second to start")
	}
	path, err := exec.LookPath("parallel")
	if err == nil {
		var out []byte
		if out, err = exec.Command(path, "--version").Output(); err == nil && !strings.HasPrefix(string(out), "GNU parallel") {
			err = fmt.Errorf("%s is another program of the name", path)
		}
	}
	if err != nil {
		t.Skipf("no GNU parallel to compare with (apt-get install parallel): %v", err)
	}
	return path
}

// all reads a source to its end.
func all(t *testing.T, next func() (*batch.Task, error)) (tasks []*batch.Task) {
	t.Helper()
	for {
		task, err := next()
		if errors.Is(err, io.EOF) {
			return tasks
		} else if err != nil {
			t.Fatal(err)
		}
		if tasks = append(tasks, task); task.Seq != len(tasks) {
			t.Fatalf("task %d has the number %d", len(tasks), task.Seq)
		}
	}
}

func TestLines(t *testing.T) {
	for in, want := range map[string][]string{
		"":                                  nil,
		"\n":                                {""},
		"a":                                 {"a"},
		"a\n\n b \r\n":                      {"a", "", " b \r"},
		strings.Repeat("x", 200000) + "\ny": {strings.Repeat("x", 200000), "y"},
	} {
		tmpl := batch.NewTemplate(nil)
		var got []string
		for _, task := range all(t, tmpl.Tasks(batch.Lines(strings.NewReader(in)), false)) {
			got = append(got, task.Args...)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("lines of %.20q are %.50q", in, got)
		}
	}
	if _, err := batch.Lines(strings.NewReader(strings.Repeat("x", 2<<20)))(); err == nil || !strings.Contains(err.Error(), "line 1 ") {
		t.Errorf("a line that no spawn can carry: %v", err)
	}
}

func TestProduct(t *testing.T) {
	for _, c := range []struct {
		lists [][]string
		want  string
	}{
		{nil, ""},
		{[][]string{{}}, ""},
		{[][]string{{"a", "b"}, {}}, ""},
		{[][]string{{"a", "b"}}, "a|b|"},
		{[][]string{{"a", "b"}, {"1", "2"}, {"x"}}, "a 1 x|a 2 x|b 1 x|b 2 x|"},
	} {
		got := ""
		tmpl := batch.NewTemplate(nil)
		tasks := all(t, tmpl.Tasks(batch.Product(c.lists), true))
		for _, task := range tasks {
			got += string(task.Input) + "|"
		}
		if got != c.want || len(tasks) != batch.Size(c.lists) {
			t.Errorf("%q: %q, %d tasks, Size %d", c.lists, got, len(tasks), batch.Size(c.lists))
		}
	}
}

var blocks = []string{
	"", "\n", "a", "1\n2\n3\n", "1\n2\n3", "12345\n67\n8\n",
	"1\n2\n" + strings.Repeat("x", 20) + "\n" + strings.Repeat("1\n", 20),
}

func TestBlocks(t *testing.T) {
	want := [][]string{
		nil, {"\n"}, {"a"}, {"1\n2\n3\n"}, {"1\n2\n3"}, {"12345\n", "67\n8\n"},
		{"1\n2\n", strings.Repeat("x", 20) + "\n1\n1\n", strings.Repeat("1\n", 12), strings.Repeat("1\n", 6)},
	}
	for i, in := range blocks {
		var got []string
		for _, task := range all(t, batch.NewTemplate([]string{"{#}"}).Blocks(strings.NewReader(in), 6)) {
			if got = append(got, string(task.Input)); len(task.Args) != 1 || task.Args[0] != fmt.Sprint(task.Seq) {
				t.Errorf("arguments %q", task.Args)
			}
		}
		if !reflect.DeepEqual(got, want[i]) {
			t.Errorf("blocks of %q are %q, want %q", in, got, want[i])
		}
	}
	none := strings.NewReader(strings.Repeat("x", batch.MaxBlock+2))
	if _, err := batch.NewTemplate(nil).Blocks(none, 1<<20)(); err == nil {
		t.Error("a block of any size")
	}
}

// The blocks are those that GNU parallel makes.
func TestBlocksAsGNU(t *testing.T) {
	gnu := gnuParallel(t)
	for _, in := range blocks[4:] {
		cmd := exec.Command(gnu, "-k", "--pipe", "--block", "6", "cat; echo --")
		cmd.Stdin = strings.NewReader(in)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, task := range all(t, batch.NewTemplate(nil).Blocks(strings.NewReader(in), 6)) {
			got += string(task.Input) + "--\n"
		}
		if got != string(out) {
			t.Errorf("GNU parallel makes %q of %q, this %q", out, in, got)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	for _, c := range templates {
		f.Add(strings.Join(c.args, " "), strings.Join(c.values, " "))
	}
	f.Fuzz(func(t *testing.T, arg, value string) {
		tmpl := batch.NewTemplate([]string{arg})
		got := tmpl.Args(1, []string{value})
		if !strings.Contains(arg, "{") && (len(got) != 2 || got[0] != arg || got[1] != value) {
			t.Errorf("%q of %q is %q", arg, value, got)
		}
		if n := len(tmpl.Args(1, []string{value, value})); n > 3+strings.Count(arg, "{") || n == 0 {
			t.Errorf("%d arguments of %q", n, arg)
		}
	})
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		t.Fatalf("%s %q: %v", name, args, err)
	}
	return string(out)
}
