package image

// usage is what code does with state that is neither memory nor a global.
type usage struct {
	tables bool                // it writes to tables
	drops  bool                // it drops segments
	data   map[uint32]struct{} // data segments it names
}

func (u *usage) usesData(i uint32) bool { _, ok := u.data[i]; return ok }

func (u *usage) usesNoData() bool { return len(u.data) == 0 }

// scan reads a code section.
func (u *usage) scan(r *reader) {
	for n := r.u32(); n > 0 && r.err == nil; n-- {
		body := reader{b: r.bytes()}
		for locals := body.u32(); locals > 0 && body.err == nil; locals-- {
			body.u32()
			if t := body.byte(); t < 0x7b && t != 0x70 && t != 0x6f {
				body.fail("local of the unknown type 0x%02x", t)
			}
		}
		for body.err == nil && len(body.b) > 0 {
			u.instruction(&body)
		}
		if body.err != nil {
			r.err, r.b = body.err, nil
		}
	}
}

// instruction reads one, with its immediates, exactly as wazero does: code that
// the two read differently could hide what it does from here.
// Source: WebAssembly core specification 2.0, 5.4.
func (u *usage) instruction(r *reader) {
	switch op := r.byte(); {
	case op >= 0x45 && op <= 0xc4: // numeric
	case op >= 0x28 && op <= 0x3e: // load, store
		r.u32()
		r.u32()
	case op <= 0x01, op == 0x05, op == 0x0b, op == 0x0f, op == 0x1a, op == 0x1b, op == 0xd1:
	case op >= 0x02 && op <= 0x04: // block, loop, if
		r.signed(33)
	case op == 0x41: // i32.const
		r.signed(32)
	case op == 0x42: // i64.const
		r.signed(64)
	case op == 0x26: // table.set
		u.tables = true
		r.u32()
	case op == 0x0c, op == 0x0d, op == 0x10, op >= 0x20 && op <= 0x25, op == 0x3f, op == 0x40, op == 0xd0, op == 0xd2:
		r.u32() // a label, or an index
	case op == 0x11: // call_indirect
		r.u32()
		r.u32()
	case op == 0x0e: // br_table
		for n := r.u32(); n > 0 && r.err == nil; n-- {
			r.u32()
		}
		r.u32()
	case op == 0x1c: // select with types
		r.bytes()
	case op == 0x43:
		r.take(4)
	case op == 0x44:
		r.take(8)
	case op == 0xfc:
		u.misc(r)
	case op == 0xfd:
		vector(r)
	default:
		r.fail("unknown instruction 0x%02x", op)
	}
}

// misc reads what follows the prefix 0xfc.
func (u *usage) misc(r *reader) {
	switch op := r.u32(); op {
	case 0, 1, 2, 3, 4, 5, 6, 7: // saturating conversions
	case 8: // memory.init
		u.use(r.u32())
		r.u32()
	case 9: // data.drop
		u.drops = true
		u.use(r.u32())
	case 10: // memory.copy
		r.u32()
		r.u32()
	case 11, 16: // memory.fill, table.size
		r.u32()
	case 13: // elem.drop
		u.drops = true
		r.u32()
	case 12, 14: // table.init, table.copy
		u.tables = true
		r.u32()
		r.u32()
	case 15, 17: // table.grow, table.fill
		u.tables = true
		r.u32()
	default:
		r.fail("unknown instruction 0xfc 0x%02x", op)
	}
}

func (u *usage) use(data uint32) {
	if u.data == nil {
		u.data = map[uint32]struct{}{}
	}
	u.data[data] = struct{}{}
}

// vector reads what follows the prefix 0xfd. The number is a LEB128, but wazero
// takes its first byte for all of it: the second one of a number above 127 is
// 0x01 and passes for a nop.
func vector(r *reader) {
	switch op := r.byte(); {
	case op <= 11, op == 92, op == 93: // load, store
		r.u32()
		r.u32()
	case op == 12, op == 13: // const, shuffle
		r.take(16)
	case op >= 21 && op <= 34: // lanes
		r.byte()
	case op >= 84 && op <= 91: // load and store of lanes
		r.u32()
		r.u32()
		r.byte()
	}
}
