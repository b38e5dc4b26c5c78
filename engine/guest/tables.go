package guest

import "encoding/binary"

// capTables returns a module whose tables cannot grow beyond maxGrown, all
// together: beyond its maximum table.grow answers -1, as any program must be
// ready for, and one without a maximum could take gigabytes of the node's heap
// that no limit of the process counts. The bytes are those of a module that was
// admitted; anything unexpected is left to the compiler to refuse.
func capTables(b []byte) []byte {
	const tableSection = 4
	for at := 8; at < len(b); {
		size, n := binary.Uvarint(b[at+1:])
		begin := at + 1 + n
		if n <= 0 || size > uint64(len(b)-begin) {
			return b
		}
		end := begin + int(size)
		if b[at] == tableSection {
			capped, ok := capTableSection(b[begin:end])
			if !ok {
				return b
			}
			out := append(make([]byte, 0, len(b)+16), b[:at+1]...)
			out = binary.AppendUvarint(out, uint64(len(capped)))
			out = append(out, capped...)
			return append(out, b[end:]...)
		}
		at = end
	}
	return b
}

// capTableSection rewrites the body of a table section: a count, and for each
// table its type and limits.
// Source: WebAssembly core specification 2.0, 5.3.9 table types, 5.5.7.
func capTableSection(b []byte) (out []byte, ok bool) {
	ok = true
	number := func() uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			ok, b = false, nil
			return 0
		}
		b = b[n:]
		return v
	}
	const hasMax = 1
	count := number()
	out = binary.AppendUvarint(nil, count)
	for i := uint64(0); i < count && ok; i++ {
		if len(b) < 3 || b[1] > hasMax {
			return nil, false
		}
		kind, flags := b[0], b[1]
		b = b[2:]
		least := number()
		most := max(least, maxGrown/count)
		if flags == hasMax {
			most = min(most, number())
		}
		out = append(out, kind, hasMax)
		out = binary.AppendUvarint(out, least)
		out = binary.AppendUvarint(out, most)
	}
	return append(out, b...), ok
}
