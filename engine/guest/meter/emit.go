package meter

import (
	"encoding/binary"

	"github.com/wnode-project/wnode/engine/guest/wasmcode"
)

// block is one that is open while code is written.
type block struct {
	kind   int // wasmcode.Block, wasmcode.Loop, wasmcode.If, or wasmcode.Else; the function itself is a block
	target int // of branches to it: blocks around the label in the new code
	acc    int // most that can have run unpaid when a branch comes to its label
	to     bool
	start  int // unpaid at its begin
	dead   bool
	shape  shape
	*loop            // what the first pass knows of a loop
	jumps  *dispatch // of a loop that begins with one
	part   *dispatch // of a block that is a target of one
}

// dispatch is how a loop begins in code that came from jumps, as Go's compiler
// writes it: blocks, one in the other, and in the innermost a br_table by a
// local. A jump is to set the local to a constant and to branch to the loop.
type dispatch struct {
	local  int64
	blocks int
	loop   int   // its place in emitter.stack; the blocks follow it
	places []int // by value of the local: place of the block whose end it goes to; -1 for others
	acc    []int // by block, outermost first: unpaid at its end, once it has ended
}

// shape is how a loop is written.
type shape byte

const (
	plain    shape = iota // as it is: nothing goes back to its head
	atHead                // counted at its head, as it has parameters
	atBranch              // counted before each branch to its head
	onEdge                // counted on the way back
	callFree              // counted on the way back, with the call of the host outside of the loop
	copied                // one of the copies of a body that is there several times
)

// emitter writes the code of one function.
type emitter struct {
	*module
	f        *function
	out      []byte
	pending  int // what is not yet copied begins here
	stack    []block
	depth    int // open blocks in the new code
	acc      int // most that can have run since the last charge
	dead     bool
	open     bool // words of stack are taken for the calls of this stretch
	nextLoop int
	parts    *dispatch // the next blocks belong to it
	whole    bool      // the words of stack are taken from the begin of the function to its end
	charges  bool      // something was charged
	length   int64     // the constant that was pushed last, if constant
	constant bool
	set      int64 // the local that was set to length just now; -1: none was
	left     int   // most unpaid where the loop that is being copied is left at its end
	leaves   bool
}

// emit writes the new body of f. Those it calls have theirs already, if they
// are not part of a recursion with it.
func (m *module) emit(f *function) {
	e := &m.emitter
	*e = emitter{module: m, f: f, pending: f.begin, out: m.bodies, stack: append(e.stack[:0], block{kind: wasmcode.Block}), depth: 1, set: -1}
	f.body.begin = len(e.out)
	m.d.Section, m.d.Pos, m.d.End = "code", f.code, f.end
	f.need = f.frame()
	e.begin()
	e.run(0)
	e.flush(f.end)
	f.free = !e.charges
	m.bodies, f.body.end = e.out, len(e.out)
}

// begin takes the stack of a function with many calls that may come back to it
// once for all of them.
func (e *emitter) begin() {
	results := e.types[e.f.typ].results
	if !e.f.recursive || e.f.sites < manySites || len(results) > 1 {
		return
	}
	e.whole = true
	e.flush(e.f.code)
	e.take(entry)
	e.out = append(e.out, wasmcode.Block)
	if results == "" {
		results = string(rune(wasmcode.Void))
	}
	e.out = append(e.out, results...)
	e.depth++
	e.stack[0].target = 1
}

// finish ends what begin began, and pays for what ran last.
func (e *emitter) finish() {
	e.before()
	e.out = append(e.out, wasmcode.End)
	e.sub(int64(e.f.tail) - int64(e.f.frame())<<32)
	e.f.tail = 0
}

// run writes instructions until only so many blocks are open.
func (e *emitter) run(until int) {
	d := &e.d
	for len(e.stack) > until && d.Err == nil {
		d.Next()
		if !e.dead {
			e.acc += cost(d.Op)
		}
		wasConstant, set := e.constant, e.set
		e.constant, e.set = false, -1
		switch d.Op {
		case wasmcode.Block, wasmcode.If:
			e.close()
			b := block{kind: d.Op, target: e.depth, start: e.acc, dead: e.dead}
			if p := e.parts; p != nil {
				b.part = p
				if len(e.stack) == p.loop+p.blocks {
					e.parts = nil
				}
			}
			e.stack = append(e.stack, b)
			e.depth++
		case wasmcode.Loop:
			e.close()
			e.loop()
		case wasmcode.Else:
			e.close()
			top := &e.stack[len(e.stack)-1]
			top.kind = wasmcode.Else
			e.merge(top)
			e.acc, e.dead = top.start, top.dead
		case wasmcode.End:
			e.close()
			e.end()
		case wasmcode.Br:
			e.jump(d.X, set)
		case wasmcode.BrIf:
			e.branch(d.X, false)
		case wasmcode.BrTable:
			e.branchTable()
		case wasmcode.Return:
			e.leave()
			if e.whole {
				e.replace()
				e.op(wasmcode.Br, e.depth-2)
			}
			e.dead = true
		case wasmcode.Unreachable:
			e.close()
			e.dead = true
		case wasmcode.Call:
			e.call(uint32(d.X))
		case wasmcode.CallIndirect:
			e.callIndirect(e.types[d.X].canonical)
		case wasmcode.RefFunc:
			e.replace()
			e.op(wasmcode.GlobalGet, e.globals+1+e.refPlace[uint32(d.X)])
		case wasmcode.I32Const:
			e.constant, e.length = true, d.X
		case wasmcode.LocalSet:
			if wasConstant {
				e.set = d.X
			}
		case wasmcode.MemoryCopy, wasmcode.MemoryFill, wasmcode.MemoryInit:
			if wasConstant && e.length >= 0 && e.length <= inlineBulk {
				e.acc += int(e.length) >> bulkShift
				break
			}
			fallthrough
		case wasmcode.TableInit, wasmcode.TableCopy, wasmcode.TableFill, wasmcode.TableGrow:
			e.replace()
			e.out = append(e.out, wasmcode.Call)
			e.out = binary.AppendUvarint(e.out, uint64(e.helpers.bulk(d.Op, d.X, d.Y)))
		case wasmcode.MemoryGrow:
			e.acc += grow
		}
		if e.acc > maxRun && !e.dead && len(e.stack) > 0 {
			e.flush(d.Pos)
			e.charge(e.acc)
		}
	}
}

// flush copies what was read and needs no change, up to an offset.
func (e *emitter) flush(to int) {
	e.out = append(e.out, e.b[e.pending:to]...)
	e.pending = to
}

// replace prepares to write something else for the instruction read last.
func (e *emitter) replace() {
	e.flush(e.d.At)
	e.pending = e.d.Pos
}

// before prepares to write something in front of the instruction read last.
func (e *emitter) before() { e.flush(e.d.At) }

func (e *emitter) op(op byte, v int) {
	e.out = binary.AppendUvarint(append(e.out, op), uint64(v))
}

// charge takes n from the counter, and calls the host when that is below zero.
// The check is the other way around, as wazero gives the registers of the path
// that is visited first to what comes after the branch.
func (e *emitter) charge(n int) {
	e.sub(int64(n))
	e.op(wasmcode.GlobalGet, e.globals)
	e.out = append(e.out, wasmcode.I32WrapI64, wasmcode.I32Const, 0, wasmcode.I32GeS)
	e.orSlow()
	e.acc = 0
}

func (e *emitter) sub(n int64) {
	e.charges = true
	e.op(wasmcode.GlobalGet, e.globals)
	e.out = appendSigned(append(e.out, wasmcode.I64Const), n)
	e.out = append(e.out, wasmcode.I64Sub)
	e.op(wasmcode.GlobalSet, e.globals)
}

func (e *emitter) orSlow() {
	e.out = append(e.out, wasmcode.If, wasmcode.Void, wasmcode.Else)
	e.op(wasmcode.Call, e.helpers.slow())
	e.out = append(e.out, wasmcode.End)
}

// descend takes the words of stack for a call that may come back to this
// function, and pays; both are checked at once. Further calls before the next
// branch are made at the same depth.
func (e *emitter) descend() {
	if e.open || e.whole {
		return
	}
	e.open = true
	e.before()
	e.take(e.acc)
	e.acc = 0
}

// take takes the stack of a call, and n.
func (e *emitter) take(n int) {
	e.sub(int64(e.f.frame())<<32 + int64(n))
	e.op(wasmcode.GlobalGet, e.globals)
	e.out = appendSigned(append(e.out, wasmcode.I64Const), signs)
	e.out = append(e.out, wasmcode.I64And, wasmcode.I64Eqz)
	e.orSlow()
}

// close gives back what descend took.
func (e *emitter) close() {
	if !e.open {
		return
	}
	e.open = false
	e.before()
	e.op(wasmcode.GlobalGet, e.globals)
	e.out = appendSigned(append(e.out, wasmcode.I64Const), int64(e.f.frame())<<32)
	e.out = append(e.out, wasmcode.I64Add)
	e.op(wasmcode.GlobalSet, e.globals)
}

// leave is called where the function may return.
func (e *emitter) leave() {
	e.close()
	if e.dead {
		return
	}
	if e.f.recursive && !e.whole && e.acc > maxTail {
		e.before()
		e.charge(e.acc)
	}
	e.f.tail = max(e.f.tail, e.acc)
}

// merge notes that this path goes on at the label of b.
func (e *emitter) merge(b *block) {
	if !e.dead {
		b.acc, b.to = max(b.acc, e.acc), true
	}
}

// label notes a branch to the l-th block and returns how it is written.
func (e *emitter) label(l int) int {
	b := &e.stack[len(e.stack)-1-l]
	e.merge(b)
	return e.depth - 1 - b.target
}

// jump writes a br. One that only goes through the dispatch of a loop to a known
// block goes to it at once, if that is further down: the way back is the only
// one that must be counted, and this one is shorter.
func (e *emitter) jump(l, set int64) {
	b := &e.stack[len(e.stack)-1-int(l)]
	if e.dead || b.kind != wasmcode.Loop || b.shape == plain || b.shape == copied {
		e.branch(l, true)
		return
	}
	from := b.start
	if p := b.jumps; p != nil && set == p.local {
		v := min(uint64(uint32(e.length)), uint64(len(p.places)-1))
		if place := p.places[v]; place >= 0 {
			if place < len(e.stack) && e.stack[place].part == p {
				e.branch(int64(len(e.stack)-1-place), true)
				return
			}
			from = p.acc[place-p.loop-1]
		}
	}
	if b.shape == atBranch {
		e.close()
		if pay := e.acc - from; pay > 0 {
			e.before()
			e.charge(pay)
		}
	}
	e.branch(l, true)
}

func (e *emitter) branch(l int64, always bool) {
	if int(l) == len(e.stack)-1 {
		e.leave()
	} else {
		e.close()
	}
	e.replace()
	e.op(byte(e.d.Op), e.label(int(l)))
	e.dead = e.dead || always
}

func (e *emitter) branchTable() {
	e.close()
	for _, l := range e.d.Labels {
		if int(l) == len(e.stack)-1 {
			e.leave()
			break
		}
	}
	e.replace()
	e.op(wasmcode.BrTable, len(e.d.Labels)-1)
	for _, l := range e.d.Labels {
		e.out = binary.AppendUvarint(e.out, uint64(e.label(int(l))))
	}
	e.dead = true
}

func (e *emitter) call(i uint32) {
	if i < e.imported {
		e.acc += hostCall
		return
	}
	to := e.code[i-e.imported]
	if !e.dead {
		e.into(to.group, to.free, to.tail)
	}
	if to.group != e.f.group {
		e.f.need = max(e.f.need, e.f.frame()+to.need)
	}
	e.replace()
	e.op(wasmcode.Call, int(i)+1)
}

func (e *emitter) callIndirect(typ uint32) {
	free, tail := true, 0
	for _, i := range e.targets[typ] {
		to := e.code[i]
		free, tail = free && to.free, max(tail, to.tail)
		if to.group != e.f.group {
			e.f.need = max(e.f.need, e.f.frame()+to.need)
		}
	}
	if e.hostTaken[typ] {
		tail = max(tail, hostCall)
	}
	if !e.dead {
		e.into(e.typeGroup[typ], free, tail)
	}
}

// into pays for a call as its target needs it.
func (e *emitter) into(group int, free bool, tail int) {
	switch {
	case group == e.f.group && e.f.recursive:
		e.descend()
	case !free && e.acc > maxRun/4:
		// Else a chain of calls would add up to a long unpaid run.
		e.before()
		e.charge(e.acc)
		fallthrough
	default:
		e.acc += tail
	}
}

// loop begins a loop, whose instruction was read.
func (e *emitter) loop() {
	l := &e.f.loops[e.nextLoop]
	e.nextLoop++
	b := block{kind: wasmcode.Loop, target: e.depth, start: e.acc, dead: e.dead, loop: l}
	switch {
	case e.dead || !l.targeted:
		b.shape = plain
	case l.params:
		b.shape = atHead
	case (l.calls || l.inner) && !l.cond:
		b.shape = atBranch
	case l.calls || l.inner || l.cost > maxRun:
		b.shape = onEdge
	default:
		b.shape = callFree
	}
	typ := e.b[e.d.At+1 : e.d.Pos]
	if b.shape == onEdge || b.shape == callFree {
		e.before()
		if copies := e.copies(l); l.cost <= maxRun && e.acc > 0 && e.acc+copies*l.cost > maxRun {
			e.charge(e.acc)
			b.start = 0
		}
		e.replace()
		e.out = append(append(e.out, wasmcode.Block), typ...)
		e.out = append(append(e.out, wasmcode.Loop), typ...)
		if b.shape == callFree {
			e.out = append(e.out, wasmcode.Loop, wasmcode.Void)
			e.depth++
		}
		e.out = append(e.out, wasmcode.Block, wasmcode.Void)
		e.depth += 3
		b.target = e.depth - 1
		if b.shape == callFree {
			e.copy(b)
		}
	} else {
		e.depth++
	}
	if b.shape == atBranch || b.shape == onEdge {
		b.jumps = e.dispatch()
		e.parts = b.jumps
	}
	e.stack = append(e.stack, b)
	if b.shape == atHead {
		e.flush(e.d.Pos)
		e.charge(min(l.cost, maxRun))
		e.acc = b.start
	}
}

// dispatch looks whether one follows.
func (e *emitter) dispatch() *dispatch {
	d := e.d
	d.Labels = nil
	p := &dispatch{loop: len(e.stack)}
	d.Next()
	for d.Op == wasmcode.Block && d.X == wasmcode.VoidBlock && d.Err == nil {
		p.blocks++
		d.Next()
	}
	if p.blocks == 0 || d.Op != wasmcode.LocalGet {
		return nil
	}
	p.local = d.X
	if d.Next(); d.Op != wasmcode.BrTable || d.Err != nil {
		return nil
	}
	p.acc = make([]int, p.blocks)
	p.places = make([]int, len(d.Labels))
	for i, l := range d.Labels {
		p.places[i] = -1
		if int(l) < p.blocks {
			p.places[i] = p.loop + p.blocks - int(l)
		}
	}
	return p
}

// copies returns how often the body of a loop without calls is written, so that
// it is counted only once in so many rounds.
func (e *emitter) copies(l *loop) int {
	if l.calls || l.inner || l.cost > unroll/2 {
		return 1
	}
	return min(unrollTimes, unroll/l.cost)
}

// copy writes all copies of the body but the last.
func (e *emitter) copy(b block) {
	body, next := e.d.Pos, e.nextLoop
	e.left, e.leaves = 0, false
	for n := e.copies(b.loop); n > 1; n-- {
		c := b
		c.shape = copied
		e.stack = append(e.stack, c)
		if e.run(len(e.stack) - 1); e.d.Err != nil {
			return
		}
		e.out = append(e.out, wasmcode.Block, wasmcode.Void)
		e.depth++
		e.d.Pos, e.pending, e.nextLoop = body, body, next
	}
}

// end ends a block, whose instruction was read.
func (e *emitter) end() {
	top := e.stack[len(e.stack)-1]
	if len(e.stack) == 1 {
		e.leave() // branches to here have done so
		if e.whole {
			e.finish()
		}
		e.stack = e.stack[:0]
		return
	}
	e.stack = e.stack[:len(e.stack)-1]
	switch {
	case top.kind == wasmcode.Loop && top.shape >= onEdge:
		e.endLoop(top)
		return
	case top.kind == wasmcode.Loop:
		// Branches went to its head: only this path goes on.
	default:
		if top.kind == wasmcode.If && !top.dead { // without else
			top.acc, top.to = max(top.acc, top.start), true
		}
		e.merge(&top)
		e.acc, e.dead = top.acc, !top.to
	}
	if p := top.part; p != nil {
		p.acc[len(e.stack)-p.loop-1] = e.acc
	}
	e.depth--
}

// endLoop ends a loop that is counted on the way back. The code is
//
//	block EXIT          block EXIT
//	  loop HEAD           loop OUTER
//	    block                loop HEAD
//	      body                 block
//	      br EXIT                body
//	    end                      br EXIT
//	    charge                 end
//	    br HEAD                count; if it is not below zero br HEAD
//	  end                    end
//	end                      call slow; br OUTER
//	                       end
//	                     end
//
// with branches to the head in the body going to the end of the inner block.
// In the right one, for loops that call nothing, the call of the host is not in
// the loop, so that all registers are the loop's.
func (e *emitter) endLoop(top block) {
	e.replace()
	if top.shape == onEdge {
		e.op(wasmcode.Br, 2)
	} else {
		e.op(wasmcode.Br, 3)
		if !e.dead {
			e.left, e.leaves = max(e.left, e.acc), true
		}
	}
	e.out = append(e.out, wasmcode.End)
	e.depth--
	pay := 1
	if top.to {
		pay = top.acc - top.start
	}
	switch top.shape {
	case copied: // the next copy follows
		e.acc, e.dead = top.acc, !top.to
	case onEdge:
		left, dead := e.acc, e.dead
		if pay > 0 {
			e.charge(pay)
		}
		e.op(wasmcode.Br, 0)
		e.out = append(e.out, wasmcode.End, wasmcode.End)
		e.depth -= 2
		e.acc, e.dead = left, dead
	case callFree:
		e.sub(int64(pay))
		e.op(wasmcode.GlobalGet, e.globals)
		e.out = append(e.out, wasmcode.I32WrapI64, wasmcode.I32Const, 0, wasmcode.I32GeS)
		e.op(wasmcode.BrIf, 0)
		e.out = append(e.out, wasmcode.End)
		e.op(wasmcode.Call, e.helpers.slow())
		e.op(wasmcode.Br, 0)
		e.out = append(e.out, wasmcode.End, wasmcode.End)
		e.depth -= 3
		e.acc, e.dead = e.left, !e.leaves
	}
}
