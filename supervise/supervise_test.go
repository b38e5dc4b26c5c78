package supervise

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ipfs/go-cid"
	"github.com/rogpeppe/go-internal/txtar"
	"go.uber.org/goleak"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/enginetest"
	"github.com/wnode-project/wnode/engine/otp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "write the golden files")

// golden compares a text with a file.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("not as in %s:\n%s", file, got)
	}
}

// Every error, with its place.
func TestErrors(t *testing.T) {
	file := filepath.Join("testdata", "errors.txtar")
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	out := &txtar.Archive{Comment: a.Comment}
	for _, f := range a.Files {
		if !strings.HasSuffix(f.Name, ".toml") {
			continue
		}
		_, err := Parse(f.Name, f.Data)
		if err == nil {
			t.Errorf("%s: no error", f.Name)
			continue
		}
		out.Files = append(out.Files, f, txtar.File{Name: strings.TrimSuffix(f.Name, "toml") + "error", Data: []byte(err.Error() + "\n")})
	}
	golden(t, file, txtar.Format(out))
	if _, err := Parse("large.toml", make([]byte, MaxFile+1)); err == nil || err.Error() != "large.toml:1:1: a file of more than 1024 kB" {
		t.Error(err)
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none.toml")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// A file with all keys, as the node that runs it gets it.
func TestTree(t *testing.T) {
	tree, err := Load(filepath.Join("testdata", "app.toml"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.MarshalIndent(tree, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join("testdata", "app.json"), append(b, '\n'))
	var paths []string
	err = tree.Workers(func(path string, c *Child) error {
		paths = append(paths, path)
		return nil
	})
	if got := strings.Join(paths, " "); err != nil || got != "kv workers/left workers/right pool/any" {
		t.Error(got, err)
	}
	stop := errors.New("enough")
	if err := tree.Workers(func(path string, _ *Child) error {
		if path == "workers/left" {
			return stop
		}
		return nil
	}); err != stop {
		t.Error(err)
	}
	if p := tree.Children[1].Position(); p != (Position{21, 3}) {
		t.Error(p)
	}
	small, err := Parse("x/small.toml", []byte("[[child]]\nid = 'a'\nmodule = 'a'\n"))
	if err != nil || small.Name != "small" || small.MaxRestarts != 3 || small.MaxSeconds != 5 || small.Strategy != otp.OneForOne {
		t.Errorf("%+v, error %v", small, err)
	}
}

// What a tree says of a child is what is spawned.
func TestOTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree, err := Load(filepath.Join("testdata", "app.toml"))
		if err != nil {
			t.Fatal(err)
		}
		programs := &enginetest.Programs{}
		specs := make(chan *engine.Spec, 4)
		m := programs.Add("any", func(p *engine.Process) engine.Reason {
			specs <- p.Spec()
			<-p.Context().Done()
			return engine.Reason{Word: engine.Shutdown}
		})
		tree.Workers(func(_ string, c *Child) error {
			c.CID = m.CID.String()
			return nil
		})
		e := enginetest.NewNetwork(t, programs, nil).Start("alex", 1)
		asked := ""
		s, err := tree.OTP(tree.Name, func(_ context.Context, on string, c cid.Cid) (engine.NodeID, error) {
			asked = on
			return e.Node(), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		spec := s.Spec(tree.Name)
		spec.Origin = e.Owner()
		sup := otp.Sup{Engine: e, PID: e.Start(spec)}
		kv, left, right := <-specs, <-specs, <-specs
		for what, is := range map[string]bool{
			"the place is asked for": asked == "kate,label:disk=ssd,any",
			"kv":                     kv.Name == "kv" && kv.GlobalName == "store" && reflect.DeepEqual(kv.Args, []string{"--size", "10"}) && reflect.DeepEqual(kv.Env, []string{"A.B=x=y", "LANG=C"}),
			"its limits":             kv.Limits.Memory == 32<<20 && kv.Limits.Wall.Hours() == 24 && kv.NoInput,
			"left":                   left.Module.CID.Equals(m.CID) && left.Module.Name == "worker" && left.Name == "",
			"right":                  right.Entry == "run",
		} {
			if !is {
				t.Errorf("%s: not as in the file", what)
			}
		}
		synctest.Wait()
		if n, err := sup.CountChildren(t.Context()); err != nil || n != (otp.Count{Specs: 3, Active: 3, Supervisors: 2, Workers: 1}) {
			t.Error(n, err)
		}
		tree.Children[0].CID = "x"
		if _, err := tree.OTP("x", nil); !errors.Is(err, engine.Reason{Word: engine.BadArg}) {
			t.Error(err)
		}
	})
}

// A file is a tree that can be started and sent, or has errors with places in it.
func FuzzTOML(f *testing.F) {
	b, err := os.ReadFile(filepath.Join("testdata", "app.toml"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	a, err := txtar.ParseFile(filepath.Join("testdata", "errors.txtar"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range a.Files {
		f.Add(file.Data)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		tree, err := Parse("x.toml", b)
		if err != nil {
			errs := []error{err}
			if j, ok := err.(interface{ Unwrap() []error }); ok {
				errs = j.Unwrap()
			}
			lines := strings.Split(string(b), "\n")
			for _, err := range errs {
				var e *Error
				if !errors.As(err, &e) || e.Line < 1 || e.Line > len(lines)+1 || e.Column < 1 || e.Text == "" {
					t.Errorf("%#v", err)
				}
			}
			return
		}
		if _, err := tree.OTP(tree.Name, nil); err != nil {
			t.Error(err)
		}
		first, err := json.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		var back Tree
		if err := json.Unmarshal(first, &back); err != nil {
			t.Fatal(err)
		}
		if second, err := json.Marshal(back); err != nil || string(first) != string(second) {
			t.Errorf("%s comes back as %s, error %v", first, second, err)
		}
	})
}
