package engine

import "testing"

func TestParseSize(t *testing.T) {
	for text, want := range map[string]uint64{
		"1": 1, "65536": 65536, "64K": 64 << 10, "64k": 64 << 10, "64KiB": 64 << 10, "64kb": 64 << 10, "1.5G": 3 << 29, "4GiB": 4 << 30, "10B": 10,
		"": 0, "0": 0, "-1": 0, "0x10": 0, "1e3": 0, "nan": 0, "inf": 0, "K": 0, "5GiB": 0, "1KK": 0, "1T": 0, "much": 0, "0.1": 0, "1 K": 0,
	} {
		got, err := ParseSize(text)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%q is %d, error %v", text, got, err)
		}
	}
}
