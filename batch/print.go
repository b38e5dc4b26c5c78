package batch

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wnode-project/wnode/engine"
)

// Printer emits results: their output to two writers, to files, and lines to a log.
// Its methods are for one goroutine.
type Printer struct {
	Out, Err io.Writer
	// Prefix returns what goes before each line of a task, with a tab; nil: nothing does.
	Prefix func(*Task) string
	// JSON writes a line for each result to Out instead of its output, which is in it.
	JSON bool
	// Results is a directory that gets SEQ/stdout, SEQ/stderr and, last, SEQ/status, the
	// exit code, of each task; "": none. Out and Err get the output too.
	Results string
	// Log gets a line for each result when its output is written; nil: none does.
	Log *Log
	// Command is what the log calls a task.
	Command func(*Task) string
	// Done is told of each result that was written; nil: nobody is.
	Done func(*Result)
}

// Emit writes results. It is a Config.Emit.
func (p *Printer) Emit(results []*Result) error {
	err := p.emit(results)
	if err != nil && p.Log != nil {
		p.Log.torn = true
	}
	return err
}

func (p *Printer) emit(results []*Result) error {
	out, errs := &counted{w: bufio.NewWriterSize(p.Out, 64<<10)}, bufio.NewWriter(p.Err)
	for _, r := range results {
		before := out.n
		if p.Results != "" {
			if err := p.save(r); err != nil {
				return err
			}
		}
		var err error
		if p.JSON {
			err = p.line(out, r)
		} else {
			err = p.text(out, errs, r)
		}
		if err != nil {
			return err
		}
		if p.Log != nil {
			p.Log.add(r, out.n-before, p.Command(r.Task))
		}
	}
	if err := out.w.Flush(); err != nil {
		return err
	}
	if err := errs.Flush(); err != nil {
		return err
	}
	if p.Log != nil {
		if err := p.Log.flush(); err != nil {
			return err
		}
	}
	if p.Done != nil {
		for _, r := range results {
			p.Done(r)
		}
	}
	return nil
}

type counted struct {
	w *bufio.Writer
	n int64
}

func (c *counted) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return c.w.Write(b)
}

// text writes the output of a task.
func (p *Printer) text(out, errs io.Writer, r *Result) error {
	if p.Prefix == nil {
		return r.Output.Each(func(s engine.Stream, data []byte) error {
			_, err := stream(s, out, errs).Write(data)
			return err
		})
	}
	prefix := []byte(p.Prefix(r.Task) + "\t")
	within := map[engine.Stream]bool{} // a line
	return r.Output.Each(func(s engine.Stream, data []byte) error {
		w := stream(s, out, errs)
		for line := range bytes.Lines(data) {
			if !within[s] {
				if _, err := w.Write(prefix); err != nil {
					return err
				}
			}
			if _, err := w.Write(line); err != nil {
				return err
			}
			within[s] = line[len(line)-1] != '\n'
		}
		return nil
	})
}

func stream(s engine.Stream, out, errs io.Writer) io.Writer {
	if s == engine.Stderr {
		return errs
	}
	return out
}

// record is a line of JSON. Output that is no text is in base64.
type record struct {
	Seq     int       `json:"seq"`
	Values  []string  `json:"values,omitempty"`
	Args    []string  `json:"args"`
	Node    string    `json:"node"`
	Reason  string    `json:"reason"`
	Message string    `json:"message,omitempty"`
	Code    int       `json:"code"`
	Tries   int       `json:"tries"`
	Start   time.Time `json:"start"`
	Seconds float64   `json:"seconds"`
	Fuel    uint64    `json:"fuel,omitempty"`
	Stdout  string    `json:"stdout"`
	Stderr  string    `json:"stderr"`
	Stdout6 []byte    `json:"stdout_base64,omitempty"`
	Stderr6 []byte    `json:"stderr_base64,omitempty"`
}

func (p *Printer) line(out io.Writer, r *Result) error {
	var both [2]bytes.Buffer
	if err := r.Output.Each(func(s engine.Stream, data []byte) error {
		_, err := stream(s, &both[0], &both[1]).Write(data)
		return err
	}); err != nil {
		return err
	}
	v := record{
		Seq: r.Seq, Values: r.Values, Args: append([]string{}, r.Args...), Node: r.Node,
		Reason: string(r.Reason.Word), Message: r.Reason.Detail, Code: r.Code, Tries: r.Tries,
		Start: r.Start, Seconds: r.Took.Seconds(), Fuel: r.Report.Fuel,
	}
	for i, to := range []struct {
		text  *string
		bytes *[]byte
	}{{&v.Stdout, &v.Stdout6}, {&v.Stderr, &v.Stderr6}} {
		if b := both[i].Bytes(); utf8.Valid(b) {
			*to.text = string(b)
		} else {
			*to.bytes = b
		}
	}
	return json.NewEncoder(out).Encode(v)
}

// save writes the files of a task. status is the last: with it they are complete.
func (p *Printer) save(r *Result) (err error) {
	dir := filepath.Join(p.Results, strconv.Itoa(r.Seq))
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	// One of an earlier run would say that the others are complete.
	if err := os.Remove(filepath.Join(dir, "status")); err != nil && !os.IsNotExist(err) {
		return err
	}
	var files [2]*os.File
	for i, name := range []string{"stdout", "stderr"} {
		if files[i], err = os.Create(filepath.Join(dir, name)); err != nil {
			return err
		}
		defer files[i].Close() // twice, if all went well
	}
	if err := r.Output.Each(func(s engine.Stream, data []byte) error {
		_, err := stream(s, files[0], files[1]).Write(data)
		return err
	}); err != nil {
		return err
	}
	for _, f := range files {
		if err := f.Close(); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "status"), []byte(strconv.Itoa(r.Code)+"\n"), 0o666)
}

// CommandLine writes words as a shell would read them.
func CommandLine(words ...string) string {
	words = slices.Clone(words)
	for i, w := range words {
		if w == "" || strings.ContainsFunc(w, func(r rune) bool { return !strings.ContainsRune(plain, r) }) {
			words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=/.,:@%^"
