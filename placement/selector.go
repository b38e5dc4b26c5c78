package placement

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Selector means some nodes. Make one with Parse.
type Selector struct {
	text  string
	parts []part
}

type kind uint8

const (
	named kind = iota
	local
	anyOf
	all
	labelled
)

type part struct {
	kind       kind
	name       string // of named
	n          int    // of anyOf
	key, value string // of labelled
}

// String returns the selector as it was given.
func (s Selector) String() string { return s.text }

// Local reports whether the selector means this node and no other.
func (s Selector) Local() bool { return len(s.parts) == 1 && s.parts[0].kind == local }

// Name returns the name of the node if the selector is one.
func (s Selector) Name() (name string, ok bool) {
	if len(s.parts) != 1 || s.parts[0].kind != named {
		return "", false
	}
	return s.parts[0].name, true
}

// Every reports whether it asks for a number of nodes at once: with all, or any:N.
func (s Selector) Every() bool {
	return slices.ContainsFunc(s.parts, func(p part) bool { return p.kind == all || p.kind == anyOf && p.n > 1 })
}

// Searches reports whether other nodes than those it names must be asked.
func (s Selector) Searches() bool {
	return slices.ContainsFunc(s.parts, func(p part) bool { return p.kind != named && p.kind != local })
}

// maxSelector bounds a selector, in bytes.
const maxSelector = 4 << 10

// Parse reads a selector. The error says what is wrong with which part.
func Parse(text string) (Selector, error) {
	s := Selector{text: text}
	if len(text) > maxSelector {
		return s, fmt.Errorf("a selector of %d bytes, the limit is %d", len(text), maxSelector)
	}
	for _, word := range strings.Split(text, ",") {
		p, err := parsePart(word)
		if err != nil {
			return s, err
		}
		s.parts = append(s.parts, p)
	}
	return s, nil
}

func parsePart(word string) (part, error) {
	head, rest, colon := strings.Cut(word, ":")
	switch {
	case word == "":
		return part{}, fmt.Errorf("a selector has an empty part: want a node, local, any, any:N, all or label:K=V")
	case word == "local":
		return part{kind: local}, nil
	case word == "all":
		return part{kind: all}, nil
	case word == "any":
		return part{kind: anyOf, n: 1}, nil
	case head == "any" && colon:
		n, err := strconv.ParseUint(rest, 10, 16)
		if err != nil || n == 0 {
			return part{}, fmt.Errorf("%q: want any:N with a number of nodes", word)
		}
		return part{kind: anyOf, n: int(n)}, nil
	case head == "label" && colon:
		k, v, err := ParseLabel(rest)
		return part{kind: labelled, key: k, value: v}, err
	case colon:
		return part{}, fmt.Errorf("%q: want a node, local, any, any:N, all or label:K=V", word)
	}
	return part{kind: named, name: word}, nil
}

var (
	labelKey   = regexp.MustCompile(`^[a-z0-9][a-z0-9_./-]{0,62}$`)
	labelValue = regexp.MustCompile(`^[A-Za-z0-9_./-]{0,63}$`)
)

// ParseLabel reads K=V: a key of 1 to 63 of a-z 0-9 _ . / -, and a value of up to 63 of
// those and A-Z.
func ParseLabel(text string) (key, value string, err error) {
	key, value, ok := strings.Cut(text, "=")
	if !ok || !labelKey.MatchString(key) || !labelValue.MatchString(value) {
		return "", "", fmt.Errorf("label %q: want K=V, of letters, digits and _ . / -, 63 at most each", text)
	}
	return key, value, nil
}
