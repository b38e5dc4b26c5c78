package meter_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	. "github.com/wnode-project/wnode/engine/guest/guesttest"
	"github.com/wnode-project/wnode/engine/guest/meter"
)

// script is a test of the WebAssembly specification, as wast2json writes it.
type script struct {
	Commands []struct {
		Type     string
		Line     int
		Name     string
		Filename string
		As       string
		Action   struct {
			Type, Module, Field string
			Args                []struct{ Type, Value json.RawMessage }
		}
	}
}

// player runs scripts in one runtime and notes what is seen of them.
type player struct {
	t      *testing.T
	rt     wazero.Runtime
	change func([]byte) ([]byte, error)
	named  map[string]api.Module
	last   api.Module
	seen   []string
}

// play returns what could be seen, line by line.
func (p *player) play(dir, file string) []string {
	ctx := context.Background()
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		p.t.Fatal(err)
	}
	var s script
	if err := json.Unmarshal(b, &s); err != nil {
		p.t.Fatal(err)
	}
	p.named, p.last = map[string]api.Module{}, nil
	for _, c := range s.Commands {
		see := func(format string, args ...any) {
			p.seen = append(p.seen, fmt.Sprintf("%s:%d %s ", file, c.Line, c.Type)+fmt.Sprintf(format, args...))
		}
		switch c.Type {
		case "module", "assert_uninstantiable":
			b, err := os.ReadFile(filepath.Join(dir, c.Filename))
			if err != nil {
				p.t.Fatal(err)
			}
			inst, err := p.instantiate(ctx, b, c.Name)
			if see("%v", class(err)); err != nil {
				continue
			}
			p.last = inst
			p.named[c.Name] = inst
		case "register":
			from := p.last
			if c.Name != "" {
				from = p.named[c.Name]
			}
			_ = from // scripts that link modules are left out
		case "action", "assert_return", "assert_trap", "assert_exhaustion":
			mod := p.last
			if c.Action.Module != "" {
				mod = p.named[c.Action.Module]
			}
			if mod == nil {
				continue
			}
			if c.Action.Type == "get" {
				if g := mod.ExportedGlobal(c.Action.Field); g != nil {
					see("%v", g.Get())
				}
				continue
			}
			f := mod.ExportedFunction(c.Action.Field)
			if f == nil {
				continue
			}
			var args []uint64
			for _, a := range c.Action.Args {
				args = append(args, values(a.Value)...)
			}
			res, err := f.Call(ctx, args...)
			for i, t := range f.Definition().ResultTypes() {
				if i < len(res) {
					res[i] = plainValue(t, res[i])
				}
			}
			if c.Type == "assert_exhaustion" {
				see("%v", err != nil)
				continue
			}
			see("%v %v", res, class(err))
		}
	}
	return p.seen
}

func (p *player) instantiate(ctx context.Context, b []byte, name string) (api.Module, error) {
	b, err := p.change(b)
	if err != nil {
		return nil, errors.New("invalid")
	}
	code, err := p.rt.CompileModule(ctx, b)
	if err != nil {
		return nil, errors.New("invalid")
	}
	return p.rt.InstantiateModule(ctx, code, wazero.NewModuleConfig().WithName(""))
}

// class is the first line of an error: the kind of a trap.
func class(err error) string {
	if err == nil {
		return ""
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return startFunction.ReplaceAllString(line, "start function")
}

// startFunction matches what wazero says of one by its number, which is another.
var startFunction = regexp.MustCompile(`start function\[\d+\]`)

// plainValue leaves out what is not of the value: the upper half of 32 bits,
// and which NaN it is.
func plainValue(t api.ValueType, v uint64) uint64 {
	switch t {
	case api.ValueTypeI32:
		return uint64(uint32(v))
	case api.ValueTypeF32:
		if f := api.DecodeF32(v); f != f {
			return 1
		}
		return uint64(uint32(v))
	case api.ValueTypeF64:
		if f := api.DecodeF64(v); f != f {
			return 1
		}
	}
	return v
}

// values reads an argument: a number, or the lanes of a vector.
func values(raw json.RawMessage) []uint64 {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		v, err := strconv.ParseUint(one, 10, 64)
		if err != nil {
			v = 0 // null, or a NaN
		}
		return []uint64{v}
	}
	return []uint64{1, 2} // of a vector any will do: all see the same
}

// TestSpec plays the tests of the specification in a module as it is and in
// one that counts, by compiler and interpreter: all see the same results and
// traps, and those that count count the same.
func TestSpec(t *testing.T) {
	root := filepath.Join(WazeroDir(t), "internal", "integration_test", "spectest")
	spectest, err := os.ReadFile(filepath.Join(root, "testdata", "spectest.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	n, actions := 0, 0
	for _, version := range []string{"v1", "v2"} {
		dir := filepath.Join(root, version, "testdata")
		files, err := filepath.Glob(filepath.Join(dir, "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			file = filepath.Base(file)
			if strings.HasPrefix(file, "linking") || strings.HasPrefix(file, "imports") {
				continue // need modules that import each other
			}
			if n++; testing.Short() && n%8 != 0 {
				continue
			}
			t.Run(version+"/"+file, func(t *testing.T) {
				ctx := context.Background()
				plain := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler())
				defer plain.Close(ctx)
				if _, err := plain.InstantiateWithConfig(ctx, spectest, wazero.NewModuleConfig().WithName("spectest")); err != nil {
					t.Fatal(err)
				}
				p := player{t: t, rt: plain, change: func(b []byte) ([]byte, error) { return b, nil }}
				want := p.play(dir, file)
				actions += len(want)
				counts := map[string]int64{}
				for _, tier := range tiers {
					h := newHost(t, tier.config(), budget{slice: tier.slice, stack: 1 << 13})
					if _, err := h.InstantiateWithConfig(ctx, spectest, wazero.NewModuleConfig().WithName("spectest")); err != nil {
						t.Fatal(err)
					}
					p := player{t: t, rt: h, change: func(b []byte) ([]byte, error) {
						out, _, err := meter.Rewrite(b)
						return out, err
					}}
					got := p.play(dir, file)
					for i := range want {
						if i >= len(got) || got[i] != want[i] {
							t.Errorf("%s: %s\nuncounted: %s", tier.name, at(got, i), want[i])
							break
						}
					}
					total := int64(0)
					for mod, b := range h.budgets {
						total += b.used(mod)
					}
					counts[tier.name] = total
				}
				for _, tier := range tiers[1:] {
					if counts[tier.name] != counts[tiers[0].name] {
						t.Errorf("counts differ: %v", counts)
					}
				}
			})
		}
	}
	if n < 100 || actions < 20_000 && !testing.Short() {
		t.Errorf("only %d scripts, %d actions", n, actions)
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "nothing"
}
