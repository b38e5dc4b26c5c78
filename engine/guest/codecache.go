package guest

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	goruntime "runtime"
	"runtime/debug"
	"unsafe"

	"github.com/tetratelabs/wazero"

	"github.com/wnode-project/wnode/engine/guest/codecache"
	"github.com/wnode-project/wnode/engine/guest/meter"
)

// openCodeCache opens the cache of machine code in a directory, and a wazero
// cache that uses it. The error says why there is none.
func openCodeCache(dir string, log *slog.Logger) (*codecache.Cache, wazero.CompilationCache, error) {
	disk, err := codecache.Open(codecache.Config{
		Dir: dir, Log: log,
		Scope: fmt.Sprintf("wazero %s, meter %d, %s/%s", wazeroVersion(), meter.Version, goruntime.GOOS, goruntime.GOARCH),
	})
	if err != nil {
		return nil, nil, err
	}
	cache := wazero.NewCompilationCache()
	if err := useFileCache(cache, disk); err != nil {
		return nil, nil, errors.Join(err, disk.Close())
	}
	return disk, cache, nil
}

// useFileCache makes a wazero cache keep code in c. wazero has an interface for
// that, which is not exported; the only exported way, a directory, runs whatever
// is in it, and fails the compilation when the disk is full. RATIONALE.md says
// more. With a wazero that looks different inside it is an error, and code is
// kept in memory.
func useFileCache(cache wazero.CompilationCache, c *codecache.Cache) error {
	v := reflect.ValueOf(cache)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return errors.New("this wazero's cache is no struct")
	}
	f := v.Elem().FieldByName("fileCache")
	if !f.IsValid() || f.Kind() != reflect.Interface || !reflect.TypeOf(c).Implements(f.Type()) {
		return errors.New("this wazero keeps its cache elsewhere")
	}
	reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem().Set(reflect.ValueOf(c))
	return nil
}

// wazeroVersion returns the version that this program was built with.
func wazeroVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, m := range info.Deps {
		if m.Path != "github.com/tetratelabs/wazero" {
			continue
		}
		if m.Replace != nil {
			m = m.Replace
		}
		return m.Version + " " + m.Sum
	}
	return "unknown"
}
