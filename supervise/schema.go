package supervise

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/otp"
	"github.com/wnode-project/wnode/internal/near"
)

// maxDepth bounds how deep supervisors lie in each other.
const maxDepth = 16

// The defaults of Elixir's Supervisor.
const (
	defaultMaxRestarts = 3
	defaultMaxSeconds  = 5
)

// Keys by what has them.
var (
	topKeys        = []string{"name"}
	supervisorKeys = []string{"strategy", "max_restarts", "max_seconds", "child"}
	childKeys      = []string{"id", "restart", "shutdown"}
	workerKeys     = []string{"module", "entry", "args", "env", "name", "cluster_name", "on", "memory", "timeout", "dirs"}
)

func (r *reader) tree(m map[string]any) *Tree {
	t := table{r, "", m}
	t.only(slices.Concat(topKeys, supervisorKeys), nil, "")
	out := &Tree{Name: t.name("name", "a name")}
	if _, ok := m["name"]; !ok {
		if out.Name = nameOf(r.file); !engine.ValidName(out.Name) {
			t.errorf("name", "there is none, and that of the file, %q, is none for a process: want name = \"...\", 1 to 63 of a-z 0-9 _ -", out.Name)
		}
	}
	out.Supervisor = *t.supervisor(1)
	return out
}

// table is one in a file.
type table struct {
	*reader
	path string
	m    map[string]any
}

func (t table) errorf(key, format string, args ...any) {
	t.fail(t.position(join(t.path, key), true), key, key+": "+format, args...)
}

func (t table) fail(at Position, key, format string, args ...any) {
	t.errs = append(t.errs, &Error{t.file, at, key, fmt.Sprintf(format, args...)})
}

// only reports keys that are not among the known ones. Those of other kinds of tables
// get a reason of their own.
func (t table) only(known, others []string, why string) {
	for _, key := range slices.Sorted(maps.Keys(t.m)) {
		at := t.position(join(t.path, key), false)
		switch {
		case slices.Contains(known, key):
		case slices.Contains(others, key):
			t.fail(at, key, "%s: %s", key, why)
		default:
			hint := ""
			if w := near.Word(key, known); w != "" {
				hint = fmt.Sprintf(": did you mean %q?", w)
			}
			t.fail(at, key, "unknown key %q%s", key, hint)
		}
	}
}

func (t table) supervisor(depth int) *Supervisor {
	s := &Supervisor{
		Strategy:    otp.Strategy(t.word("strategy", string(otp.OneForOne), string(otp.OneForAll), string(otp.RestForOne), string(otp.SimpleOneForOne))),
		MaxRestarts: t.number("max_restarts", 0, defaultMaxRestarts),
		MaxSeconds:  t.number("max_seconds", 1, defaultMaxSeconds),
	}
	list, ok := t.m["child"].([]any)
	switch {
	case !ok && t.m["child"] != nil:
		t.errorf("child", "want [[child]], a table for each; found %s", kind(t.m["child"]))
	case len(list) == 0:
		t.fail(t.position(t.path, false), "child", "there is no child: a supervisor has some, each as a table [[%schild]]", strings.Repeat("child.", depth-1))
	case s.Strategy == otp.SimpleOneForOne && len(list) > 1:
		t.errorf("child.1", "a simple_one_for_one supervisor has one, the pattern of those that start_child makes")
	}
	ids := map[string]Position{}
	for i, v := range list {
		at := fmt.Sprintf("child.%d", i)
		m, ok := v.(map[string]any)
		if !ok {
			t.errorf(at, "want a table, found %s", kind(v))
			continue
		}
		c := table{t.reader, join(t.path, at), m}.child(depth)
		if first, had := ids[c.ID]; had && c.ID != "" {
			table{t.reader, join(t.path, at), m}.errorf("id", "%q is the id of the child at line %d too", c.ID, first.Line)
		}
		ids[c.ID] = c.at
		s.Children = append(s.Children, c)
	}
	return s
}

func (t table) child(depth int) Child {
	c := Child{
		ID: t.name("id", "an id"), at: t.position(t.path, false),
		Restart:  otp.Restart(t.word("restart", string(otp.Permanent), string(otp.Transient), string(otp.Temporary))),
		Shutdown: t.shutdown(),
	}
	if _, ok := t.m["id"]; !ok {
		t.fail(c.at, "id", "a child without an id: want id = \"...\"")
	}
	who := "the child"
	if c.ID != "" {
		who = fmt.Sprintf("child %q", c.ID)
	}
	_, hasModule := t.m["module"]
	_, hasChildren := t.m["child"]
	_, hasStrategy := t.m["strategy"]
	switch {
	case hasModule && hasChildren:
		t.errorf("module", "%s has children too: it is one or the other", who)
	case hasChildren || hasStrategy && !hasModule:
		t.only(slices.Concat(childKeys, supervisorKeys), workerKeys, who+" is a supervisor, which runs no module")
		if depth >= maxDepth {
			t.errorf("child", "supervisors lie at most %d deep", maxDepth)
			break
		}
		c.Supervisor = t.supervisor(depth + 1)
	case !hasModule:
		t.fail(c.at, "module", "%s has neither a module nor children: want module = \"...\"", who)
	default:
		t.only(slices.Concat(childKeys, workerKeys), supervisorKeys, who+" runs a module, and so is no supervisor")
		t.worker(&c)
	}
	return c
}

func (t table) worker(c *Child) {
	c.Module = t.text("module")
	if m := t.m["module"]; m == "" {
		t.errorf("module", "want a path, a tag or a CID")
	}
	c.Entry, c.Args, c.Env = t.text("entry"), t.texts("args"), t.env()
	c.Name, c.ClusterName = t.name("name", "a name"), t.name("cluster_name", "a name")
	c.On = t.on()
	if s := t.text("memory"); t.m["memory"] != nil && s == t.m["memory"] {
		var err error
		if c.Memory, err = engine.ParseSize(s); err != nil {
			t.errorf("memory", "%v", err)
		}
	}
	if s := t.text("timeout"); t.m["timeout"] != nil && s == t.m["timeout"] {
		var err error
		if c.Timeout, err = time.ParseDuration(s); err != nil || c.Timeout <= 0 {
			t.errorf("timeout", "%q is no time: want one as 30s or 1h", s)
		}
	}
	c.Dirs = t.texts("dirs")
	for _, d := range c.Dirs {
		if host, guest, _ := strings.Cut(d, "::"); host == "" || guest != "" && !path.IsAbs(guest) {
			t.errorf("dirs", "%q: want HOST::GUEST or HOST::GUEST:ro, GUEST from /", d)
		}
	}
}

// kind says what a value is, for people.
func kind(v any) string {
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("the text %q", v)
	case int64, float64:
		return fmt.Sprintf("the number %v", v)
	case bool:
		return fmt.Sprintf("%v", v)
	case []any:
		return "a list"
	case map[string]any:
		return "a table"
	}
	return "a date or time"
}

func (t table) text(key string) string {
	v, ok := t.m[key]
	if !ok {
		return ""
	}
	s, ok := v.(string)
	switch {
	case !ok:
		t.errorf(key, "want a text as %s = \"...\", found %s", key, kind(v))
	case strings.ContainsRune(s, 0):
		t.errorf(key, "a text with a NUL")
	}
	return s
}

func (t table) texts(key string) (out []string) {
	v, ok := t.m[key]
	if !ok {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		t.errorf(key, "want a list as %s = [\"...\"], found %s", key, kind(v))
	}
	for i, v := range list {
		s, ok := v.(string)
		at := t.position(join(t.path, fmt.Sprintf("%s.%d", key, i)), true)
		switch {
		case !ok:
			t.fail(at, key, "%s: want a list of texts, found %s in it", key, kind(v))
		case strings.ContainsRune(s, 0):
			t.fail(at, key, "%s: a text with a NUL", key)
		}
		out = append(out, s)
	}
	return out
}

func (t table) env() (out []string) {
	v, ok := t.m["env"]
	if !ok {
		return nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		t.errorf("env", "want a table as env = { KEY = \"value\" }, found %s", kind(v))
		return nil
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		in := table{t.reader, join(t.path, "env"), m}
		if k == "" || strings.ContainsAny(k, "=\x00") {
			in.errorf(k, "%q is no name of a variable", k)
		}
		out = append(out, k+"="+in.text(k))
	}
	return out
}

func (t table) number(key string, least, standard int) int {
	v, ok := t.m[key]
	if !ok {
		return standard
	}
	n, ok := v.(int64)
	if !ok || n < int64(least) || n > 1<<30 {
		t.errorf(key, "want a number from %d, found %s", least, kind(v))
		return standard
	}
	return int(n)
}

// word reads one of the words, the first if there is none.
func (t table) word(key string, words ...string) string {
	v, ok := t.m[key]
	if !ok {
		return words[0]
	}
	s, ok := v.(string)
	if ok && slices.Contains(words, s) {
		return s
	}
	hint := ": want " + strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
	if w := near.Word(s, words); w != "" {
		hint = fmt.Sprintf(": did you mean %q?", w)
	}
	t.errorf(key, "%s is no %s%s", kind(v), key, hint)
	return words[0]
}

func (t table) shutdown() (out otp.Shutdown) {
	s := t.text("shutdown")
	if t.m["shutdown"] == nil || s != t.m["shutdown"] {
		return 0
	}
	if err := out.UnmarshalText([]byte(s)); err != nil || s == "" {
		if err == nil {
			err = fmt.Errorf("want a time as 5s, brutal_kill or infinity")
		}
		hint := ""
		if w := near.Word(s, []string{"brutal_kill", "infinity"}); w != "" {
			hint = fmt.Sprintf(": did you mean %q?", w)
		}
		t.errorf("shutdown", "%v%s", err, hint)
	}
	return out
}

// name reads a name, which need not be there.
func (t table) name(key, what string) string {
	s := t.text(key)
	if v, ok := t.m[key]; ok && s == v && !engine.ValidName(s) {
		t.errorf(key, "%q is not %s: want 1 to 63 of a-z 0-9 _ -, the first a letter or digit", s, what)
	}
	return s
}

var (
	nodeRE  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$`)
	labelRE = regexp.MustCompile(`^label:[a-z0-9][a-z0-9_./-]{0,62}=[A-Za-z0-9_./-]{0,63}$`) // as of package placement
)

func (t table) on() string {
	s := t.text("on")
	if v, ok := t.m["on"]; !ok || s != v {
		return s
	}
	for _, term := range strings.Split(s, ",") {
		switch {
		case term == "all" || strings.HasPrefix(term, "any:"):
			t.errorf("on", "%q is several nodes, and a child runs on one: want any, or a child for each", term)
		case term == "any" || nodeRE.MatchString(term) || labelRE.MatchString(term):
		default:
			t.errorf("on", "%q is no node: want local, a node's name, any or label:KEY=VALUE, several with commas", term)
		}
	}
	return s
}
