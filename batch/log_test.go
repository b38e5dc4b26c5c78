package batch_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wnode-project/wnode/batch"
	"github.com/wnode-project/wnode/engine"
)

// logged maps n tasks with a log, their output to a file, and ends as if by kill -9
// when the result of task last has been written; 0: it comes to its end. It returns
// which tasks were executed.
func logged(t *testing.T, dir string, n, last int, resume bool) (executed []string) {
	t.Helper()
	out, err := os.OpenFile(filepath.Join(dir, "out"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	log, err := batch.OpenLog(filepath.Join(dir, "log"), resume, out)
	if err != nil {
		t.Fatal(err)
	}
	crash := errors.New("crash")
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "kate", "alex")
		p := batch.Printer{Out: out, Err: io.Discard, Log: log, Command: func(task *batch.Task) string { return "say " + task.Args[0] }}
		_, err = batch.Run(t.Context(), w.me, batch.Config{
			Next:  batch.Skip(count(n), log.Has),
			Nodes: w.find, Spec: w.program(odd),
			Emit: func(results []*batch.Result) error {
				for i := range results { // one by one, so that it ends where it is to
					if err := p.Emit(results[i : i+1]); err != nil {
						return err
					}
					if results[i].Seq == last {
						return crash
					}
				}
				return nil
			},
		})
		executed = w.started
	})
	if last == 0 {
		if err != nil {
			t.Fatal(err)
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
	} else if err != crash {
		t.Fatalf("it ends with %v", err)
	} else {
		log.Abandon()
	}
	return executed
}

func TestResume(t *testing.T) {
	dir := t.TempDir()
	logged(t, dir, 30, 11, false)
	out, log := filepath.Join(dir, "out"), filepath.Join(dir, "log")
	// The end of its program left a part of a line, and output that no line tells of.
	tear(t, log, "12\tkate\t17955")
	tear(t, out, "12\n1")
	if again := logged(t, dir, 30, 20, true); len(again) == 0 || strings.HasSuffix(again[0], " 11") {
		t.Errorf("executed again: %v", again)
	}
	logged(t, dir, 30, 0, true)
	check(t, out, numbers(30))
	if again := logged(t, dir, 30, 0, true); len(again) != 0 {
		t.Errorf("executed when all was done: %v", again)
	}
	// It came to its end, so what others append is theirs.
	tear(t, out, "by others\n")
	logged(t, dir, 31, 0, true)
	check(t, out, numbers(30)+"by others\n31\n")
	logged(t, dir, 3, 0, false)
	check(t, out, numbers(30)+"by others\n31\n"+numbers(3))
}

// Wherever a log is torn, what is in it is what was done.
func TestTornLog(t *testing.T) {
	dir := t.TempDir()
	logged(t, dir, 4, 4, false)
	whole, err := os.ReadFile(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		part := filepath.Join(dir, fmt.Sprint(n))
		if err := os.Mkdir(part, 0o777); err != nil {
			t.Fatal(err)
		}
		for name, b := range map[string][]byte{"log": whole[:n], "out": []byte(numbers(4))} {
			if err := os.WriteFile(filepath.Join(part, name), b, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		out, err := os.OpenFile(filepath.Join(part, "out"), os.O_RDWR|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		log, err := batch.OpenLog(filepath.Join(part, "log"), true, out)
		if err != nil {
			t.Fatalf("after %d bytes: %v", n, err)
		}
		lines := strings.Count(string(whole[:n]), "\n") - 2 // the header, and what the output is
		for seq := 1; seq <= 4; seq++ {
			if log.Has(seq) != (seq <= lines) {
				t.Errorf("after %d bytes, %d lines: Has(%d) is %v", n, lines, seq, log.Has(seq))
			}
		}
		log.Abandon()
		out.Close()
	}
}

func TestBadLogs(t *testing.T) {
	header := "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n"
	for name, text := range map[string]string{
		"no log":     "precious data\n",
		"columns":    header + "1\tkate\t3\n",
		"no number":  header + "x\tkate\t0\t0\t0\t0\t0\t0\tsay\n",
		"no bytes":   header + "1\tkate\t0\t0\t0\tx\t0\t0\tsay\n",
		"minus seq":  header + "-1\tkate\t0\t0\t0\t1\t0\t0\tsay\n",
		"second bad": header + "1\tkate\t0\t0\t0\t2\t0\t0\tsay\nrubbish\n",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			tear(t, path, text)
			if _, err := batch.OpenLog(path, true, nil); err == nil || strings.Count(err.Error(), "\n") > 0 {
				t.Errorf("%v", err)
			}
			check(t, path, text)
		})
	}
	path := filepath.Join(t.TempDir(), "log")
	log, err := batch.OpenLog(path, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := batch.OpenLog(path, true, nil); err == nil || !strings.Contains(err.Error(), "another map") {
		t.Errorf("two at once: %v", err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
}

// A log that GNU parallel wrote is one to go on with.
func TestLogOfGNU(t *testing.T) {
	gnu := gnuParallel(t)
	path := filepath.Join(t.TempDir(), "log")
	run(t, gnu, "-k", "--joblog", path, "echo", ":::", "a", "b c")
	log, err := batch.OpenLog(path, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !log.Has(1) || !log.Has(2) || log.Has(3) {
		t.Error("it does not have the two tasks")
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	// And one of ours is for GNU parallel.
	dir := t.TempDir()
	logged(t, dir, 4, 3, false)
	if got := run(t, gnu, "-k", "--resume", "--joblog", filepath.Join(dir, "log"), "echo", ":::", "a", "b", "c", "d"); got != "d\n" {
		t.Errorf("GNU parallel resumes with %q", got)
	}
}

func FuzzLog(f *testing.F) {
	header := "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n"
	f.Add([]byte(header + "1\tkate\t17.123\t     0.001\t0\t2\t0\t0\tsay 1\n2\tka"))
	f.Add([]byte(header + "0\t:\t17.123\t     0.000\t0\t9\t0\t0\toutput 3:4\n"))
	f.Add([]byte("rubbish"))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
		log, err := batch.OpenLog(path, true, nil)
		if err != nil {
			check(t, path, string(b)) // it is not ours: it stays as it was
			return
		}
		var had [5]bool
		for i := range had {
			had[i] = log.Has(i + 1)
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
		if log, err = batch.OpenLog(path, true, nil); err != nil {
			t.Fatalf("what was read before is bad now: %v", err)
		}
		for i := range had {
			if log.Has(i+1) != had[i] {
				t.Errorf("task %d was there: %v, and now: %v", i+1, had[i], !had[i])
			}
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestPrinter(t *testing.T) {
	for _, c := range []struct {
		name      string
		set       func(p *batch.Printer)
		out, errs string
	}{
		{"as it is", func(*batch.Printer) {}, "1a\n1b2a\n2b", "e1\ne2\n"},
		{"prefix", func(p *batch.Printer) {
			p.Prefix = func(t *batch.Task) string { return "<" + t.Values[0] + ">" }
		}, "<1>\t1a\n<1>\t1b<2>\t2a\n<2>\t2b", "<1>\te1\n<2>\te2\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "kate")
				var out, errs strings.Builder
				dir := filepath.Join(t.TempDir(), "results")
				p := batch.Printer{Out: &out, Err: &errs, Results: dir}
				c.set(&p)
				if _, err := batch.Run(t.Context(), w.me, batch.Config{
					Next: count(2), Nodes: w.find, Emit: p.Emit,
					Spec: w.program(func(p *engine.Process, _ string, args []string) engine.Reason {
						say(p, "%sa\n%s", args[0], args[0])
						fmt.Fprintf(writer{p, engine.Stderr}, "e%s\n", args[0])
						say(p, "b")
						return engine.Reason{Word: engine.Exited, Code: 1}
					}),
				}); err != nil {
					t.Fatal(err)
				}
				if out.String() != c.out || errs.String() != c.errs {
					t.Errorf("%q and %q", out.String(), errs.String())
				}
				check(t, filepath.Join(dir, "2", "stdout"), "2a\n2b")
				check(t, filepath.Join(dir, "2", "stderr"), "e2\n")
				check(t, filepath.Join(dir, "2", "status"), "1\n")
			})
		})
	}
}

func TestCommandLine(t *testing.T) {
	if got, want := batch.CommandLine("a.wasm", "b c", "", "d'e", "-x=1"), `a.wasm 'b c' '' 'd'\''e' -x=1`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// tear appends to a file.
func tear(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func check(t *testing.T, path, want string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil || string(b) != want {
		t.Errorf("%s has %q, want %q; %v", filepath.Base(path), b, want, err)
	}
}
