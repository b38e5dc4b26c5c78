package sdk

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wnode-project/wnode/engine/guest/wasmfile"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// function is an import as a source declares it.
type function struct {
	name            string
	params, results []byte
}

// typesOf returns the value types of parameters, of which each matches one of the
// patterns: of pointers and words, or of 64 bits.
func typesOf(params string, word, long *regexp.Regexp) (types []byte) {
	for p := range strings.SplitSeq(params, ",") {
		p = strings.TrimSpace(p)
		switch {
		case p == "" || p == "void":
		case word.MatchString(p):
			types = append(types, abi.I32)
		case long.MatchString(p):
			types = append(types, abi.I64)
		default:
			types = append(types, 0) // equals nothing
		}
	}
	return types
}

// parser returns a function that finds imports: the pattern has groups called name,
// params and result, of which the last is to be the text result.
func parser(pattern, word, long, result string) func(string) []function {
	find, w, l := regexp.MustCompile(pattern), regexp.MustCompile(word), regexp.MustCompile(long)
	return func(source string) (all []function) {
		for _, m := range find.FindAllStringSubmatch(source, -1) {
			f := function{params: typesOf(m[find.SubexpIndex("params")], w, l)}
			f.name = strings.TrimSuffix(m[find.SubexpIndex("name")], "_") // self is a word of Rust
			if m[find.SubexpIndex("result")] == result {
				f.results = []byte{abi.I32}
			}
			all = append(all, f)
		}
		return all
	}
}

var parseGo = parser(`//go:wasmimport wnode (?P<name>\w+)\nfunc \w+\((?P<params>[^)]*)\) (?P<result>\w+)\n`,
	` (unsafe\.Pointer|u?int32)$`, ` u?int64$`, "uint32")

var parseRust = parser(`(?:link_name = "self"\]\s+)?pub fn (?P<name>\w+)\((?P<params>[^()]*)\) -> (?P<result>u32);`,
	`: (\*(const|mut) \w+|usize|u32)$`, `: [iu]64$`, "u32")

var parseAS = parser(`@external\("wnode", "(?P<name>\w+)"\) export declare function \w+\((?P<params>[^)]*)\): (?P<result>\w+);`,
	`: (usize|u32)$`, `: [iu]64$`, "u32")

var parseC = parser(`WNODE_IMPORT\("(?P<name>\w+)"\) (?P<result>\w+) \w+\((?P<params>[^)]*)\);`,
	`\*|^(int|size_t|uint32_t) `, `^u?int64_t `, "int")

// Each library declares every function of module wnode, as it is, and no other.
func TestLibrariesCoverTheABI(t *testing.T) {
	for _, l := range languages {
		t.Run(l.name, func(t *testing.T) {
			source, err := os.ReadFile(l.source)
			if err != nil {
				t.Fatal(err)
			}
			declared := map[string]function{}
			for _, f := range l.parse(string(source)) {
				if _, twice := declared[f.name]; twice {
					t.Errorf("%s is declared twice", f.name)
				}
				declared[f.name] = f
			}
			for _, want := range abi.Functions() {
				if want.Module != abi.Wnode {
					continue
				}
				got, ok := declared[want.Name]
				delete(declared, want.Name)
				if !ok {
					t.Errorf("%s is missing", want.Name)
				} else if !slices.Equal(got.params, want.Params) || !slices.Equal(got.results, want.Results) {
					t.Errorf("%s is %x -> %x, want %x -> %x", want.Name, got.params, got.results, want.Params, want.Results)
				}
			}
			for name := range declared {
				t.Errorf("%s is no function of the ABI", name)
			}
		})
	}
}

// Each scenario guest imports every function, so that none of the library is left
// unused; what they are for is the scenarios' to test.
func TestGuestsUseTheABI(t *testing.T) {
	look(t)
	for _, l := range languages {
		t.Run(l.name, func(t *testing.T) {
			scenario, _ := build(t, l)
			m, err := wasmfile.Parse(scenario)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range abi.Functions() {
				if want.Module == abi.Wnode && !slices.ContainsFunc(m.Imports, func(i wasmfile.Import) bool {
					return i.Module == want.Module && i.Name == want.Name
				}) {
					t.Errorf("%s is not used", want.Name)
				}
			}
		})
	}
}

// Each function is a command of some scenario.
func TestScenariosUseTheABI(t *testing.T) {
	used := map[string]bool{}
	for _, s := range scenarios(t) {
		for _, step := range s.steps {
			name, arguments, _ := strings.Cut(step.text, " ")
			used[name] = true
			if name == "ask" {
				if _, command, ok := strings.Cut(arguments, " "); ok {
					name, _, _ = strings.Cut(command, " ")
					used[name] = true
				}
			}
			if _, command, ok := strings.Cut(arguments, "input="); ok { // of a call that carries it out
				name, _, _ = strings.Cut(command, " ")
				used[name] = true
			}
		}
	}
	for _, f := range abi.Functions() {
		if f.Module == abi.Wnode && !used[f.Name] {
			t.Errorf("no scenario uses %s", f.Name)
		}
	}
}
