package bench

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/wnode-project/wnode/engine/guest/guesttest"
	"github.com/wnode-project/wnode/engine/guest/meter"
)

// kernel is a guest program that computes.
type kernel struct {
	name string
	n    int // about 50 to 100 ms of work
	args []string
	wasm []byte
}

func kernels(b *testing.B) []kernel {
	b.Helper()
	dir := b.TempDir()
	var out []kernel
	for _, k := range []kernel{{name: "mandelbrot", n: 200}, {name: "nbody", n: 100_000}, {name: "fib", n: 31}, {name: "sha256", n: 20_000}, {name: "sort", n: 1}} {
		file := filepath.Join(dir, k.name+".wasm")
		cmd := exec.Command("clang", "--target=wasm32", "-O2", "-nostdlib", "-Wl,--no-entry", "-Wl,--export=run", "-o", file, "kernels/"+k.name+".c")
		if text, err := cmd.CombinedOutput(); err != nil {
			b.Skipf("clang: %v %s", err, text)
		}
		k.wasm = read(b, file)
		k.name = "c/" + k.name
		out = append(out, k)
	}
	program := guesttest.BuildGo(b, "kernels/gokernels")
	for _, k := range []kernel{{name: "sort", n: 6}, {name: "json", n: 600}, {name: "regex", n: 40}} {
		k.args = []string{"guest", k.name, strconv.Itoa(k.n)}
		k.wasm = program
		k.name = "go/" + k.name
		out = append(out, k)
	}
	return out
}

func read(b testing.TB, file string) []byte {
	c, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// program is a compiled kernel.
type program struct {
	*kernel
	rt   wazero.Runtime
	code wazero.CompiledModule
}

func (k *kernel) compile(b *testing.B, code []byte) *program {
	ctx := context.Background()
	rt := wazero.NewRuntime(ctx)
	wasi_snapshot_preview1.MustInstantiate(ctx, rt)
	_, err := rt.NewHostModuleBuilder(meter.Module).NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, _ api.Module, s []uint64) {
			c := meter.Counter(s[0])
			if c.Depth() < 0 {
				c = c.Add(0, 1<<20)
			}
			if c.Left() < 0 {
				c = c.Add(200_000, 0)
			}
			s[0] = uint64(c)
		}), []api.ValueType{api.ValueTypeI64}, []api.ValueType{api.ValueTypeI64}).Export(meter.Yield).Instantiate(ctx)
	if err != nil {
		b.Fatal(err)
	}
	m, err := rt.CompileModule(ctx, code)
	if err != nil {
		b.Fatal(err)
	}
	return &program{kernel: k, rt: rt, code: m}
}

// run returns how long a run took, and what it said.
func (p *program) run(b *testing.B) (time.Duration, string) {
	ctx := context.Background()
	var said bytes.Buffer
	config := wazero.NewModuleConfig().WithName("").WithStartFunctions().WithArgs(p.args...).WithStdout(&said).WithStderr(os.Stderr)
	inst, err := p.rt.InstantiateModule(ctx, p.code, config)
	if err != nil {
		b.Fatal(err)
	}
	defer inst.Close(ctx)
	begin := time.Now()
	if p.args != nil {
		inst.ExportedFunction("_start").Call(ctx)
		return time.Since(begin), said.String()
	}
	res, err := inst.ExportedFunction("run").Call(ctx, uint64(p.n))
	if err != nil {
		b.Fatal(err)
	}
	return time.Since(begin), fmt.Sprint(res)
}

// BenchmarkMetering compares each kernel with and without counting, by turns.
// ratio is that of the shortest runs, which other work on the machine disturbs
// least; control is the same for two that are both not counted.
func BenchmarkMetering(b *testing.B) {
	var ratios []float64
	for _, k := range kernels(b) {
		b.Run(k.name, func(b *testing.B) {
			counted, _, err := meter.Rewrite(k.wasm)
			if err != nil {
				b.Fatal(err)
			}
			programs := []*program{k.compile(b, k.wasm), k.compile(b, counted), k.compile(b, k.wasm)}
			best := make([]time.Duration, len(programs))
			_, want := programs[0].run(b)
			const least = 40
			for n := 0; n < least || b.Loop(); n++ {
				for i, p := range programs {
					d, said := p.run(b)
					if said != want {
						b.Fatalf("%q, counted %q", want, said)
					}
					if best[i] == 0 || d < best[i] {
						best[i] = d
					}
				}
			}
			ratio := float64(best[1]) / float64(best[0])
			ratios = append(ratios, ratio)
			b.ReportMetric(ratio, "ratio")
			b.ReportMetric(float64(best[2])/float64(best[0]), "control")
			b.ReportMetric(best[0].Seconds()*1e3, "ms")
			for _, p := range programs {
				p.rt.Close(context.Background())
			}
		})
	}
	logs := 0.0
	for _, r := range ratios {
		logs += math.Log(r)
	}
	if len(ratios) > 0 {
		fmt.Fprintf(os.Stderr, "metering: geometric mean %.3f, worst %.3f\n", math.Exp(logs/float64(len(ratios))), slices.Max(ratios))
	}
}
