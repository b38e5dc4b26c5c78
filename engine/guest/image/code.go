package image

import "github.com/wnode-project/wnode/engine/guest/wasmcode"

// usage is what code does with state that is neither memory nor a global.
type usage struct {
	tables bool                // it writes to tables
	drops  bool                // it drops segments
	data   map[uint32]struct{} // data segments it names
}

func (u *usage) usesData(i uint32) bool { _, ok := u.data[i]; return ok }

func (u *usage) usesNoData() bool { return len(u.data) == 0 }

// scan reads a code section. Its functions may end where they like: that each
// is well-formed is left to the compiler.
func (u *usage) scan(r *wasmcode.Reader) {
	end := r.End
	for n := r.U32(); n > 0 && r.Err == nil; n-- {
		size := r.Count()
		next := r.Pos + size
		r.End = next
		for locals := r.U32(); locals > 0 && r.Err == nil; locals-- {
			r.U32()
			r.ValueType()
		}
		for r.More() {
			r.Next()
			u.note(&r.Instruction)
		}
		r.End = end
	}
}

// note looks at an instruction.
func (u *usage) note(i *wasmcode.Instruction) {
	switch i.Op {
	case wasmcode.MemoryInit:
		u.use(uint32(i.X))
	case wasmcode.DataDrop:
		u.drops = true
		u.use(uint32(i.X))
	case wasmcode.ElemDrop:
		u.drops = true
	case wasmcode.TableSet, wasmcode.TableInit, wasmcode.TableCopy, wasmcode.TableGrow, wasmcode.TableFill:
		u.tables = true
	}
}

func (u *usage) use(data uint32) {
	if u.data == nil {
		u.data = map[uint32]struct{}{}
	}
	u.data[data] = struct{}{}
}
