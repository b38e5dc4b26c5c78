package guest

import (
	"fmt"
	"time"

	"github.com/wnode-project/wnode/engine/guest/wasmfile"
)

const (
	// maxBodyCompile is the estimate that a function is refused above. It
	// bounds memory: the compiler takes up to 190 MB for each second, and gives
	// back what one function took before it takes the next.
	maxBodyCompile = 3 * time.Second
	// maxExcess bounds, for all functions of a module together, what is
	// estimated above excessPerByte. Real programs stay below that in nearly
	// all their functions (Go with net/http: 1.7 us a byte on average, and an
	// excess of 0); what was written to be slow is at 100 us and more.
	maxExcess     = 5 * time.Second
	excessPerByte = 4 * time.Microsecond
	// maxEstimate bounds the whole. Programs take a fifth of their estimate.
	maxEstimate = 50 * time.Second
)

// bodyCost estimates from above how long wazero 1.12 compiles a function, on one
// core. The terms are those that were found to grow faster than the code, each
// with what it was measured at (TestCompileCost measures them again). What
// compilers write is estimated at 2 to 20 times of what it takes.
func bodyCost(f wasmfile.Body) time.Duration {
	// Each value that is alive at a block may become a parameter of it.
	values := float64(min(f.Locals, f.LocalOps) + f.Under)
	sum := 500*float64(f.Ops) +
		1000*float64(f.Values) +
		500*float64(f.Blocks)*values + // blocks after each other: 0.4 µs
		12_000*float64(f.Depth)*values + // ifs within each other: 7 to 11 µs
		300*float64(f.LoopDepth)*values*values + // loops within each other: 0.2 µs
		300*float64(f.Loops)*float64(f.Loops) + // loops after each other: 0.2 µs
		100*float64(f.Depth)*float64(f.Blocks) + // 0.07 µs
		0.5*float64(f.Branches)*float64(f.Branches) + // 0.3 ns
		0.7*float64(f.Effects)*float64(f.Effects) + // stores: 0.5 ns
		9*float64(f.Operands)*float64(f.Operands) // 6 ns
	return time.Duration(min(sum, float64(time.Hour)))
}

// checkBody refuses a function that would take too long to compile.
func checkBody(f wasmfile.Body) error {
	fail := func(remedy, format string, args ...any) error {
		return &wasmfile.Error{Section: "code", Offset: f.Offset, Remedy: remedy, Msg: fmt.Sprintf(format, args...)}
	}
	if f.Locals > maxLocals {
		return fail("split the function, or build with optimisation", "function %d has %d locals, the limit is %d", f.Index, f.Locals, maxLocals)
	}
	if cost := bodyCost(f); cost > maxBodyCompile {
		return fail("split the function, or build with optimisation",
			"function %d has %d instructions, %d blocks (%d deep), %d loops (%d deep), %d branches and %d locals, which may take %v to compile, the limit is %v",
			f.Index, f.Ops, f.Blocks, f.Depth, f.Loops, f.LoopDepth, f.Branches, f.Locals, seconds(cost), maxBodyCompile)
	}
	return nil
}

// checkBodies refuses a module whose functions would take too long to compile,
// each or together. It adds up what [checkBody] looks at.
func checkBodies(m *wasmfile.Module, b []byte) error {
	var total, excess time.Duration
	return m.Bodies(b, func(f wasmfile.Body) error {
		if err := checkBody(f); err != nil {
			return err
		}
		cost := bodyCost(f)
		total += cost
		excess += max(0, cost-time.Duration(f.Size)*excessPerByte)
		for _, c := range []struct {
			name      string
			got, most time.Duration
		}{{"as nested and branched as they are", excess, maxExcess}, {"all together", total, maxEstimate}} {
			if c.got > c.most {
				return &wasmfile.Error{Section: "code", Offset: f.Offset, Remedy: "split the module, or build with optimisation",
					Msg: fmt.Sprintf("functions up to %d, %s, may take more than %v to compile", f.Index, c.name, c.most)}
			}
		}
		return nil
	})
}

func seconds(d time.Duration) string {
	if d >= time.Hour {
		return "an hour or more"
	}
	return d.Round(time.Second).String()
}
