package batch

import (
	"strconv"
	"strings"
)

// Template makes the arguments of a task from the values it is about, with the
// placeholders of GNU parallel:
//
//	{}    the value             {/}   without its directory
//	{.}   without extension     {/.}  without both
//	{//}  its directory         {#}   the number of the task
//
// With several values {} is all of them, and {2}, {2.}, {2/} and so on the second. There is
// no shell: each argument stays one, but {} in it separates several values as there.
type Template struct {
	args [][]piece
	all  bool // no argument has a placeholder: the values are appended
}

// piece is text, or a placeholder.
type piece struct {
	text  string
	value int // of which value, from 1; 0: of all; -1: it is text, -2: the number
	edit  func(string) string
}

const (
	pieceText   = -1
	pieceNumber = -2
)

// edits are what a placeholder does to its value, by what is in its braces behind the
// number of the value.
var edits = map[string]func(string) string{
	"":   func(s string) string { return s },
	".":  withoutExtension,
	"/":  base,
	"//": dirname,
	"/.": func(s string) string { return withoutExtension(base(s)) },
}

// NewTemplate reads placeholders. Braces with anything else in them are text.
func NewTemplate(args []string) Template {
	t := Template{all: true}
	for _, arg := range args {
		var pieces []piece
		for arg != "" {
			before, p, after, ok := cutPlaceholder(arg)
			if before != "" {
				pieces = append(pieces, piece{text: before, value: pieceText})
			}
			if ok {
				pieces = append(pieces, p)
				t.all = false
			}
			arg = after
		}
		t.args = append(t.args, pieces)
	}
	return t
}

// cutPlaceholder splits a text around its first placeholder.
func cutPlaceholder(s string) (before string, p piece, after string, ok bool) {
	for begin := 0; ; begin++ {
		i := strings.IndexByte(s[begin:], '{')
		if i < 0 {
			return s, p, "", false
		}
		begin += i
		end := strings.IndexByte(s[begin:], '}')
		if end < 0 {
			return s, p, "", false
		}
		if p, ok = placeholder(s[begin+1 : begin+end]); ok {
			return s[:begin], p, s[begin+end+1:], true
		}
	}
}

// placeholder reads what is between two braces.
func placeholder(s string) (piece, bool) {
	if s == "#" {
		return piece{value: pieceNumber}, true
	}
	digits := s[:len(s)-len(strings.TrimLeft(s, "0123456789"))]
	n := 0
	if digits != "" {
		var err error
		if n, err = strconv.Atoi(digits); err != nil || n == 0 {
			return piece{}, false
		}
	}
	edit, ok := edits[s[len(digits):]]
	return piece{value: n, edit: edit}, ok
}

// Args returns the arguments of the task with a number, from 1.
func (t *Template) Args(seq int, values []string) []string {
	out := make([]string, 0, len(t.args)+len(values))
	for _, pieces := range t.args {
		if len(pieces) == 1 && pieces[0].value == pieceText {
			out = append(out, pieces[0].text)
			continue
		}
		word := ""
		for _, p := range pieces {
			switch {
			case p.value == pieceText:
				word += p.text
			case p.value == pieceNumber:
				word += strconv.Itoa(seq)
			case p.value > len(values):
			case p.value > 0:
				word += p.edit(values[p.value-1])
			default:
				for i, v := range values {
					if i > 0 {
						out = append(out, word)
						word = ""
					}
					word += p.edit(v)
				}
			}
		}
		out = append(out, word)
	}
	if t.all {
		out = append(out, values...)
	}
	return out
}

func withoutExtension(s string) string {
	if i := strings.LastIndexByte(s, '.'); i >= 0 && !strings.Contains(s[i:], "/") {
		return s[:i]
	}
	return s
}

func base(s string) string { return s[strings.LastIndexByte(s, '/')+1:] }

// dirname is as that of Perl's File::Basename, and of the shell: "." for a name alone.
func dirname(s string) string {
	trimmed := strings.TrimRight(s, "/")
	if trimmed == "" && s != "" {
		return "/"
	}
	i := strings.LastIndexByte(trimmed, '/')
	if i < 0 {
		return "."
	}
	if dir := strings.TrimRight(trimmed[:i], "/"); dir != "" {
		return dir
	}
	return "/"
}
