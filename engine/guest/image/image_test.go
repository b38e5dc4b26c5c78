package image

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Parts of modules, in hex. A module is a command with an empty _start unless
// it says otherwise.
const (
	head    = "0061736d01000000"
	types   = "010401600000"
	funcs   = "03020100"
	memory  = "0503010001"                           // one page
	global  = "060b02" + "7f0041050b" + "7f01417f0b" // i32 5; mutable i32 -1
	exports = "070a01065f73746172740000"
	code    = "0a040102000b"
)

func fromHex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSplit(t *testing.T) {
	body := func(ops string) string { // a code section with one function
		n := len(ops)/2 + 2
		return "0a" + hexByte(n+2) + "01" + hexByte(n) + "00" + ops + "0b"
	}
	table := "0404017000" + "05"
	passive := "0b0401" + "01" + "01" + "61"
	for _, c := range []struct {
		name, in, out string
		data          string // address in hex, bytes as text, per segment
		globals       []uint64
		why           string
	}{
		{name: "nothing", in: types + funcs + exports + code, out: types + funcs + exports + code},
		{name: "a global", in: types + funcs + global + exports + code,
			out:     types + funcs + global + "071502065f73746172740000" + "08776e6f64653a6730" + "0301" + code,
			globals: []uint64{0xffffffff}},
		{name: "a global and no exports", in: types + funcs + global + code,
			out: types + funcs + global + "070c01" + "08776e6f64653a6730" + "0301" + code, globals: []uint64{0xffffffff}},
		{name: "only a global", in: global, out: global + "070c01" + "08776e6f64653a6730" + "0301", globals: []uint64{0xffffffff}},
		{name: "data", in: types + funcs + memory + exports + code + "0b0e02" + "0041100b0161" + "0041080b026263",
			out: types + funcs + memory + exports + code, data: "8=bc 10=a"},
		{name: "data with an index and a count", in: types + funcs + memory + exports + "0c0101" + code + "0b0801" + "020041100b0161",
			out: types + funcs + memory + exports + code, data: "10=a"},
		{name: "data beside passive data in use", in: types + funcs + memory + exports + "0c0102" + body("410041004100fc080100") + "0b0a02" + "0041100b0161" + "010162",
			out: types + funcs + memory + exports + "0c0102" + body("410041004100fc080100") + "0b0602" + "0100" + "010162", data: "10=a"},
		{name: "active data in use", in: types + funcs + memory + exports + "0c0101" + body("410041004100fc080000") + "0b0701" + "0041100b0161",
			why: "again"},
		{name: "data dropped", in: types + funcs + memory + exports + "0c0101" + body("fc0900") + passive, why: "drops"},
		{name: "data that overlaps", in: types + funcs + memory + exports + code + "0b0e02" + "0041100b0161" + "00410f0b026263", why: "overlap"},
		{name: "data outside", in: types + funcs + memory + exports + code + "0b0a01" + "0041ffff030b026162", why: "outside"},
		{name: "no memory", in: types + funcs + exports + code + "0b0701" + "0041000b0161", why: "outside"},
		{name: "an address that is no number", in: types + funcs + memory + exports + code + "0b0701" + "0023000b0161", why: "not a constant"},
		{name: "start", in: types + funcs + "080100" + code, why: "start"},
		{name: "table.set", in: types + funcs + table + body("4100d0702600"), why: "tables"},
		{name: "table.grow", in: types + funcs + table + body("d0704100fc0f001a"), why: "tables"},
		{name: "table.fill", in: types + funcs + table + body("4100d0704100fc1100"), why: "tables"},
		{name: "table.copy", in: types + funcs + table + body("410041004100fc0e0000"), why: "tables"},
		{name: "reading tables", in: types + funcs + table + body("410025001afc10001a"),
			out: types + funcs + table + body("410025001afc10001a")},
		// wazero takes the first byte after fd alone: this is i16x8.all_true (0x83),
		// then nop; and 0x8c behind which a table.set hides, were it a v128.const.
		{name: "vectors", in: body("fd8301"), out: body("fd8301")},
		{name: "a hidden write", in: body("fd8c00" + "2600"), why: "0xfd 0x8c"},
		{name: "an imported global", in: "020801" + "0161" + "0162" + "037f00", why: "more than functions"},
		{name: "a reserved export", in: global + "070c01" + "08776e6f64653a6739" + "0301", why: "reserved"},
		{name: "a vector global", in: "061601" + "7b01" + "fd0c" + strings.Repeat("00", 16) + "0b", why: "vectors"},
		{name: "out of order", in: code + types, why: "order"},
		{name: "cut", in: "01ff", why: "truncated"},
		{name: "an unknown instruction", in: body("fe00"), why: "0xfe"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := fromHex(t, head+c.in)
			before := bytes.Clone(in)
			im := Split(in)
			if !bytes.Equal(in, before) {
				t.Error("the input was changed")
			}
			if c.why != "" {
				if im.Resettable || !strings.Contains(im.Why, c.why) || len(im.Globals) > 0 {
					t.Errorf("got %+v, want why %q", im, c.why)
				}
				return
			}
			var data []string
			for _, d := range im.Data {
				data = append(data, strings.TrimLeft(hexByte(int(d.Offset)), "0")+"="+string(d.Bytes))
			}
			if got := strings.Join(data, " "); got != c.data {
				t.Errorf("data %s, want %s", got, c.data)
			}
			var globals []uint64
			for _, g := range im.Globals {
				globals = append(globals, g.Value)
			}
			if len(globals) != len(c.globals) || len(globals) > 0 && globals[0] != c.globals[0] {
				t.Errorf("globals %x, want %x", globals, c.globals)
			}
			if got := hex.EncodeToString(im.Code); got != head+c.out {
				t.Errorf("code\n got %s\nwant %s", got, head+c.out)
			}
			if !im.Resettable || im.Why != "" {
				t.Errorf("not resettable: %s", im.Why)
			}
		})
	}
}

func hexByte(n int) string { return hex.EncodeToString([]byte{byte(n)}) }

// A byte in each of many pages is left to the module.
func TestSpread(t *testing.T) {
	segments := []byte{0x0b}
	var body []byte
	const n = 1000
	body = append(body, n&0x7f|0x80, n>>7)
	for i := range n {
		at := i * 4096
		body = append(body, 0, 0x41, byte(at&0x7f|0x80), byte(at>>7&0x7f|0x80), byte(at>>14&0x7f|0x80), byte(at>>21), 0x0b, 1, 'x')
	}
	segments = append(segments, byte(len(body)&0x7f|0x80), byte(len(body)>>7))
	b := fromHex(t, head+types+funcs+"050401008001"+exports+code)
	b = append(append(b, segments...), body...)
	if im := Split(b); !strings.Contains(im.Why, "thin") || im.Data != nil || !bytes.Equal(im.Code, b) {
		t.Errorf("got %s, %d segments", im.Why, len(im.Data))
	}
}
