package meter

import (
	"slices"

	"github.com/wnode-project/wnode/engine/guest/wasmcode"
)

// function is what the first pass learns of a function with code.
type function struct {
	index uint32 // among all functions of the module, the imported ones first
	typ   uint32 // canonical
	begin int    // offsets: of the whole body, of its first instruction, of its end
	code  int
	end   int

	locals int // with the parameters; a vector counts twice
	height int // most operands on the stack, about
	blocks int
	ops    int

	loops    []loop   // in the order of their first instruction
	calls    []uint32 // functions with code that it calls, by place among them
	indirect []uint32 // canonical types that it calls through a table
	sites    int      // calls in the code

	group     int  // the strongly connected component it is in
	recursive bool // it can be called again before it returns
	free      bool // nothing in it is charged: its callers pay
	tail      int  // what at most has run since the last charge when it returns
	need      int  // words of stack, with all it calls that is not recursive
	body      span // in module.bodies
}

// loop is what the first pass learns of one.
type loop struct {
	targeted bool // some branch goes back to its head
	cond     bool // some such branch is conditional
	calls    bool // it calls something
	inner    bool // it contains another loop
	params   bool
	cost     int // of all its instructions
}

// frame estimates the words of machine stack of one call. What a compiler
// spills cannot be more than what there are values.
func (f *function) frame() int { return 8 + f.locals + f.height + (f.end-f.code)/32 }

type label struct {
	loop   int // in function.loops; -1: no loop
	cost   int // function cost so far at its begin
	height int // with its results
}

// analyze reads the code of f once.
func (m *module) analyze(f *function) {
	d := &m.d
	d.Section = "code"
	d.Pos, d.End = f.begin, f.end
	f.locals = len(m.types[m.funcs[f.index]].params)
	groups := d.Count()
	for range groups {
		n := d.U32()
		t := d.ValueType()
		if t == wasmcode.V128 {
			n *= 2
		}
		if f.locals += int(n); n > maxLocals || f.locals > maxLocals {
			d.Fail(d.Pos, "function %d has more than %d locals", f.index, maxLocals)
		}
	}
	f.code = d.Pos
	stack := append(m.labels[:0], label{loop: -1})
	total, height := 0, 0
	branch := func(l int64, cond bool) {
		if l >= int64(len(stack)) {
			d.Fail(d.At, "malformed: a branch leaves %d blocks of %d", l+1, len(stack))
			return
		}
		if i := stack[len(stack)-1-int(l)].loop; i >= 0 {
			f.loops[i].targeted = true
			f.loops[i].cond = f.loops[i].cond || cond
		}
	}
	called := func() {
		f.sites++
		for i := len(stack) - 1; i >= 0; i-- {
			if l := stack[i].loop; l >= 0 {
				if f.loops[l].calls {
					break
				}
				f.loops[l].calls = true
			}
		}
	}
	for len(stack) > 0 && d.Err == nil {
		d.Next()
		f.ops++
		op := d.Op
		total += cost(op)
		height = max(0, height+wasmcode.Effect(op))
		switch op {
		case wasmcode.Block, wasmcode.Loop, wasmcode.If:
			f.blocks++
			params, results := m.blockType(d)
			l := label{loop: -1, cost: total, height: max(0, height-params) + results}
			if op == wasmcode.Loop {
				for i := len(stack) - 1; i >= 0; i-- {
					if o := stack[i].loop; o >= 0 {
						if f.loops[o].inner {
							break
						}
						f.loops[o].inner = true
					}
				}
				l.loop = len(f.loops)
				f.loops = append(f.loops, loop{params: params > 0})
			}
			stack = append(stack, l)
		case wasmcode.Else:
			height = stack[len(stack)-1].height // about: results for parameters
		case wasmcode.End:
			top := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if top.loop >= 0 {
				f.loops[top.loop].cost = total - top.cost
			}
			height = top.height
		case wasmcode.Br, wasmcode.BrIf:
			branch(d.X, op == wasmcode.BrIf)
		case wasmcode.BrTable:
			for _, l := range d.Labels {
				branch(int64(l), true)
			}
		case wasmcode.Call:
			if d.X >= int64(len(m.funcs)) {
				d.Fail(d.At, "malformed: calls function %d of %d", d.X, len(m.funcs))
				break
			}
			called()
			t := m.types[m.funcs[d.X]]
			height = max(0, height-len(t.params)) + len(t.results)
			if i := uint32(d.X) - m.imported; d.X >= int64(m.imported) {
				f.calls = append(f.calls, i)
			}
		case wasmcode.CallIndirect:
			if d.X >= int64(len(m.types)) {
				d.Fail(d.At, "malformed: calls type %d of %d", d.X, len(m.types))
				break
			}
			called()
			t := m.types[d.X]
			height = max(0, height-1-len(t.params)) + len(t.results)
			f.indirect = append(f.indirect, t.canonical)
		case wasmcode.RefFunc:
			if d.X >= int64(len(m.funcs)) {
				d.Fail(d.At, "malformed: refers to function %d of %d", d.X, len(m.funcs))
				break
			}
			m.taken[d.X] = true
			if _, ok := m.refPlace[uint32(d.X)]; !ok {
				m.refPlace[uint32(d.X)] = len(m.refs)
				m.refs = append(m.refs, uint32(d.X))
			}
		case wasmcode.GlobalGet, wasmcode.GlobalSet:
			if d.X >= int64(m.globals) {
				d.Fail(d.At, "malformed: uses global %d of %d", d.X, m.globals)
			}
		case wasmcode.MemoryGrow, wasmcode.MemoryInit, wasmcode.MemoryCopy, wasmcode.MemoryFill,
			wasmcode.TableInit, wasmcode.TableCopy, wasmcode.TableGrow, wasmcode.TableFill:
			called()
		}
		f.height = max(f.height, height)
	}
	if d.Err == nil && d.Pos != f.end {
		d.Fail(d.Pos, "malformed: function %d goes on after its end", f.index)
	}
	m.labels = stack[:0]
	slices.Sort(f.calls)
	f.calls = slices.Compact(f.calls)
	slices.Sort(f.indirect)
	f.indirect = slices.Compact(f.indirect)
}

// order finds which functions can be part of a recursion, and returns all
// functions such that each comes after those it calls, recursions apart.
//
// Nodes are the functions with code, and behind them one for each canonical
// type: a call through a table can reach each function of the type whose
// address is taken. The algorithm is Tarjan's, without recursion.
func (m *module) order() []*function {
	n := len(m.code)
	targets := make([][]uint32, len(m.types)) // by canonical type
	for i, f := range m.code {
		if m.taken[f.index] {
			targets[f.typ] = append(targets[f.typ], uint32(i))
		}
	}
	m.targets = targets
	edges := func(v, i int) (int, bool) {
		if v >= n {
			if t := targets[v-n]; i < len(t) {
				return int(t[i]), true
			}
			return 0, false
		}
		f := m.code[v]
		switch {
		case i < len(f.calls):
			return int(f.calls[i]), true
		case i < len(f.calls)+len(f.indirect):
			return n + int(f.indirect[i-len(f.calls)]), true
		}
		return 0, false
	}
	type visit struct{ node, edge int }
	var (
		number = make([]int, n+len(m.types)) // 0: not seen
		low    = make([]int, n+len(m.types))
		group  = make([]int, n+len(m.types)) // 0: on the stack, or not seen
		stack  []int
		work   []visit
		seen   int
		groups int
		out    = make([]*function, 0, n)
	)
	m.typeGroup = group[n:]
	for root := range n {
		if number[root] != 0 {
			continue
		}
		work = append(work, visit{node: root})
		for len(work) > 0 {
			w := &work[len(work)-1]
			v := w.node
			if w.edge == 0 && number[v] == 0 {
				seen++
				number[v], low[v] = seen, seen
				stack = append(stack, v)
			}
			if to, ok := edges(v, w.edge); ok {
				w.edge++
				switch {
				case number[to] == 0:
					work = append(work, visit{node: to})
				case group[to] == 0:
					low[v] = min(low[v], number[to])
				}
				continue
			}
			work = work[:len(work)-1]
			if len(work) > 0 {
				up := work[len(work)-1].node
				low[up] = min(low[up], low[v])
			}
			if low[v] != number[v] {
				continue
			}
			groups++
			begin := len(stack) - 1
			for stack[begin] != v {
				begin--
			}
			members := stack[begin:]
			stack = stack[:begin]
			for _, u := range members {
				group[u] = groups
				if u >= n {
					continue
				}
				f := m.code[u]
				f.group = groups
				f.recursive = len(members) > 1 || slices.Contains(f.calls, uint32(u))
				out = append(out, f)
			}
		}
	}
	return out
}
