package supervise

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// MaxFile bounds a file, in bytes.
const MaxFile = 1 << 20

// Load reads a file. Errors are as of Parse, or say why it cannot be read.
func Load(file string) (*Tree, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, err
	}
	return Parse(file, b)
}

// Parse reads the text of a file. The error joins an Error for each thing that is
// wrong, in the order of the file.
func Parse(file string, b []byte) (*Tree, error) {
	if len(b) > MaxFile {
		return nil, &Error{File: file, Position: Position{1, 1}, Text: "a file of more than " + strconv.Itoa(MaxFile>>10) + " kB"}
	}
	var m map[string]any
	if err := toml.Unmarshal(b, &m); err != nil {
		e := &Error{File: file, Position: Position{1, 1}, Text: strings.TrimPrefix(err.Error(), "toml: ")}
		var d *toml.DecodeError
		if errors.As(err, &d) {
			e.Line, e.Column = d.Position()
			e.Key = strings.Join(d.Key(), ".")
		}
		return nil, e
	}
	r := &reader{file: file}
	r.locate(b)
	t := r.tree(m)
	if len(r.errs) > 0 {
		slices.SortStableFunc(r.errs, func(a, b *Error) int {
			if a.Line != b.Line {
				return a.Line - b.Line
			}
			return a.Column - b.Column
		})
		errs := make([]error, len(r.errs))
		for i, e := range r.errs {
			errs[i] = e
		}
		return nil, errors.Join(errs...)
	}
	return t, nil
}

// reader turns what TOML has into a tree.
type reader struct {
	file string
	keys map[string]Position // of each key, by its path as "child.0.child.1.id"
	vals map[string]Position // of its value, where the parser tells it
	errs []*Error
}

// locate finds where all keys and values are, in a text that is TOML.
func (r *reader) locate(b []byte) {
	r.keys, r.vals = map[string]Position{}, map[string]Position{}
	p := &unstable.Parser{}
	p.Reset(b)
	at := func(n *unstable.Node) (pos Position, ok bool) {
		start := p.Shape(n.Raw).Start
		return Position{start.Line, start.Column}, n.Raw.Length > 0
	}
	arrays := map[string]int{} // elements of arrays of tables so far
	// below goes down a key from a table, into the last elements of arrays of tables.
	below := func(path string, it unstable.Iterator, header, array bool) string {
		for it.Next() {
			n := it.Node()
			path = join(path, string(n.Data))
			if pos, ok := at(n); ok {
				if _, had := r.keys[path]; !had {
					r.keys[path] = pos
				}
			}
			if header && array && it.IsLast() {
				arrays[path]++
			}
			if k := arrays[path]; header && k > 0 {
				path = join(path, strconv.Itoa(k-1))
				if pos, ok := at(n); ok && it.IsLast() {
					r.keys[path] = pos
				}
			}
		}
		return path
	}
	var value func(path string, n *unstable.Node)
	value = func(path string, n *unstable.Node) {
		if pos, ok := at(n); ok {
			r.vals[path] = pos
		}
		it := n.Children()
		for i := 0; it.Next(); i++ {
			switch c := it.Node(); c.Kind {
			case unstable.KeyValue:
				value(below(path, c.Key(), false, false), c.Value())
			default:
				element := join(path, strconv.Itoa(i))
				if pos, ok := at(c); ok {
					r.keys[element] = pos
				}
				value(element, c)
			}
		}
	}
	table := ""
	for p.NextExpression() {
		switch e := p.Expression(); e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = below("", e.Key(), true, e.Kind == unstable.ArrayTable)
		case unstable.KeyValue:
			value(below(table, e.Key(), false, false), e.Value())
		}
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// position returns where a key is, or the table that it would be in.
func (r *reader) position(path string, value bool) Position {
	if pos, ok := r.vals[path]; ok && value {
		return pos
	}
	for ; path != ""; path = path[:max(0, strings.LastIndexByte(path, '.'))] {
		if pos, ok := r.keys[path]; ok {
			return pos
		}
	}
	return Position{1, 1}
}

// nameOf is the name of a tree whose file gives none.
func nameOf(file string) string {
	base := filepath.Base(file)
	return strings.TrimSuffix(base, filepath.Ext(base))
}
