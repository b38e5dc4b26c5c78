package guest

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/wnode-project/wnode/engine/guest/wasmfile"
)

func TestCapTables(t *testing.T) {
	const head, tail = "0061736d01000000" + "010401600000", "070100"
	for _, c := range []struct{ name, in, want string }{
		{"no tables", "", ""},
		{"no maximum", "0404017000" + "05", "04" + "07" + "01" + "7001" + "05" + "a08d06"},
		{"a small maximum stays", "0405017001" + "0509", "0405017001" + "0509"},
		{"a large maximum", "0408017001" + "05" + "80ade204", "04" + "07" + "01" + "7001" + "05" + "a08d06"},
		{"two share", "0407027000" + "01" + "6f00" + "01", "04" + "0d" + "02" + "7001" + "01" + "d08603" + "6f01" + "01" + "d08603"},
		{"cut", "040201" + "70", "040201" + "70"},
	} {
		in, err := hex.DecodeString(head + c.in + tail)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(capTables(in)); got != head+c.want+tail {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, head+c.want+tail)
		}
	}
}

// FuzzCapTables: what parses still does, and says the same of itself.
func FuzzCapTables(f *testing.F) {
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x04\x04\x01\x70\x00\x05"))
	f.Fuzz(func(t *testing.T, in []byte) {
		before := bytes.Clone(in)
		out := capTables(in)
		if !bytes.Equal(in, before) {
			t.Fatal("the input was changed")
		}
		m, err := wasmfile.Parse(in)
		if err != nil {
			return
		}
		again, err := wasmfile.Parse(out)
		if err != nil || again.Tables != m.Tables || again.Elements != m.Elements || again.Functions != m.Functions {
			t.Fatalf("%v: %+v became %+v", err, m, again)
		}
	})
}
