package hostfuncs

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// Known answers. Source: FIPS 180-4 examples, and the test vectors of BLAKE3.
func TestHash(t *testing.T) {
	x := newProxy(t, &engine.Spec{})
	for _, c := range []struct{ function, in, want string }{
		{"sha256", "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"sha256", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"blake3", "", "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"},
		{"blake3", "\x00", "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"},
	} {
		ptr, n := x.put(100, c.in)
		x.want(0, c.function, ptr, n, 4000)
		got, _ := x.mod.Memory().Read(4000, 32)
		if hex.EncodeToString(got) != c.want {
			t.Errorf("%s of %q: %x", c.function, c.in, got)
		}
	}
	// The result may be written over what was hashed; in pieces or not, it is the same.
	x.mod.Memory().Grow(100)
	long := strings.Repeat("0123456789abcdef", 200_000)
	ptr, n := x.put(100, long)
	x.want(0, "sha256", ptr, n, ptr)
	got, _ := x.mod.Memory().Read(100, 32)
	if want := sum256(long); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	end := uint64(x.mod.Memory().Size())
	for _, f := range []string{"sha256", "blake3"} {
		x.want(abi.EFAULT, f, end-10, 11, 0)
		x.want(abi.EFAULT, f, 0, 10, end-31)
		x.want(0, f, end, 0, end-32)
	}
}
