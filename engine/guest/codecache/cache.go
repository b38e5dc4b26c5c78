package codecache

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	magic   = "wncode1\n"
	keySize = 32
	macSize = sha256.Size
	header  = len(magic) + macSize + sha256.Size
	// maxFile bounds what is read into memory to be checked.
	maxFile = 1 << 30
)

// Config describes a Cache.
type Config struct {
	Dir   string // made if it is not there, mode 0700; the key lies beside it, in Dir.key
	Scope string // all that code depends on besides the module: versions, system, architecture
	Max   int64  // bytes of all files together; those not used for longest go first. 0: 1 GiB
	Log   *slog.Logger
}

// Cache implements wazero's internal interface of file caches, and says which
// module its keys belong to. It is safe for concurrent use.
type Cache struct {
	cfg   Config
	files files
	key   []byte
	warn  sync.Once

	binding sync.Mutex // held by Compile until the compiler asks for its code
	current *bound

	mu   sync.Mutex
	keys map[Key]*bound
}

// Key is how the compiler names code.
type Key = [sha256.Size]byte

// bound is a compilation under way.
type bound struct {
	id    string
	free  func()
	key   Key
	asked bool
	hit   bool
}

// Open opens a cache. The error says why the directory cannot be used.
func Open(c Config) (*Cache, error) {
	d, err := openDir(c.Dir)
	if err != nil {
		return nil, err
	}
	key, err := readKey(c.Dir + ".key")
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return open(c, d, key), nil
}

func open(c Config, f files, key []byte) *Cache {
	if c.Max == 0 {
		c.Max = 1 << 30
	}
	return &Cache{cfg: c, files: f, key: key, keys: map[Key]*bound{}}
}

// Close closes the directory. No compilation may be under way.
func (c *Cache) Close() error { return c.files.close() }

// Has says whether there is code of a module. It does not say that it is good.
func (c *Cache) Has(id string) bool { return c.files.has(c.name(id)) }

// Compile calls compile, which has the compiler compile the module with this id,
// and reports whether its code came from here. The compiler asks for code by a
// key of its own, from the goroutine that compile is called on: until it has,
// others wait, which is for as long as decoding takes.
func (c *Cache) Compile(id string, compile func() error) (hit bool, err error) {
	b := &bound{id: id}
	c.binding.Lock()
	b.free = sync.OnceFunc(c.binding.Unlock)
	c.current = b
	defer b.free() // the compiler may have failed before it asked
	err = compile()
	b.free()
	c.mu.Lock()
	defer c.mu.Unlock()
	if b.asked && c.keys[b.key] == b {
		delete(c.keys, b.key)
	}
	return b.hit && err == nil, err
}

// Get is called by the compiler. It never fails: what is not good is not there.
func (c *Cache) Get(key Key) (io.ReadCloser, bool, error) {
	b := c.current
	b.key, b.asked = key, true
	c.mu.Lock()
	c.keys[key] = b
	c.mu.Unlock()
	b.free()

	name := c.name(b.id)
	raw, err := c.files.read(name)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			c.lost("read", err)
		}
		return nil, false, nil
	}
	code, why := c.check(b.id, key, raw)
	if why != "" {
		c.cfg.Log.Warn("compiled code on disk is not used", "file", name, "reason", why)
		if err := c.files.remove(name); ignore(err, fs.ErrNotExist) != nil {
			c.lost("remove", err)
		}
		return nil, false, nil
	}
	if err := c.files.used(name); ignore(err, fs.ErrNotExist) != nil {
		c.lost("touch", err)
	}
	b.hit = true
	return io.NopCloser(bytes.NewReader(code)), true, nil
}

// check returns the code in a file, or what is wrong with it.
func (c *Cache) check(id string, key Key, raw []byte) (code []byte, why string) {
	if len(raw) < header || string(raw[:len(magic)]) != magic {
		return nil, "it is damaged"
	}
	mac, of, code := raw[len(magic):][:macSize], raw[len(magic)+macSize:][:len(key)], raw[header:]
	if !hmac.Equal(mac, c.mac(id, of, code)) {
		return nil, "it was changed, or is not this node's"
	}
	if !bytes.Equal(of, key[:]) {
		return nil, "it is for another processor"
	}
	return code, ""
}

// Add is called by the compiler. It never fails: what cannot be kept is lost.
func (c *Cache) Add(key Key, content io.Reader) error {
	c.mu.Lock()
	b := c.keys[key]
	c.mu.Unlock()
	if b == nil {
		return nil
	}
	code, err := io.ReadAll(content)
	if err != nil || int64(len(code)+header) > min(c.cfg.Max, maxFile) {
		return nil
	}
	if err := c.files.write(c.name(b.id), []byte(magic), c.mac(b.id, key[:], code), key[:], code); err != nil {
		c.lost("write", err)
		return nil
	}
	c.shrink()
	return nil
}

// Delete is called by the compiler for code of another version of it.
func (c *Cache) Delete(key Key) error {
	c.mu.Lock()
	b := c.keys[key]
	c.mu.Unlock()
	if b == nil {
		return nil
	}
	b.hit = false
	if err := c.files.remove(c.name(b.id)); ignore(err, fs.ErrNotExist) != nil {
		c.lost("remove", err)
	}
	return nil
}

// shrink removes what was not used for longest while there is too much, and what
// a process that died left unfinished.
func (c *Cache) shrink() {
	infos, err := c.files.list()
	if err != nil {
		c.lost("list", err)
		return
	}
	var total int64
	for _, i := range infos {
		total += i.Size()
	}
	slices.SortFunc(infos, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, i := range infos {
		unfinished := strings.HasPrefix(i.Name(), tempPrefix)
		if unfinished && time.Since(i.ModTime()) < tempAge || !unfinished && total <= c.cfg.Max {
			continue
		}
		if err := c.files.remove(i.Name()); ignore(err, fs.ErrNotExist) != nil {
			c.lost("remove", err)
			continue
		}
		total -= i.Size()
	}
}

// lost warns, once, that what is compiled is perhaps not kept.
func (c *Cache) lost(what string, err error) {
	c.warn.Do(func() {
		c.cfg.Log.Warn("compiled modules are kept in memory only: the cache cannot be used", "dir", c.cfg.Dir, "operation", what, "err", err)
	})
}

func (c *Cache) name(id string) string {
	h := sha256.New()
	c.identify(h, id)
	return hex.EncodeToString(h.Sum(nil)[:20])
}

func (c *Cache) mac(id string, key, code []byte) []byte {
	h := hmac.New(sha256.New, c.key)
	c.identify(h, id)
	h.Write(key)
	h.Write(code)
	return h.Sum(nil)
}

// identify writes scope and id so that no two pairs are the same bytes.
func (c *Cache) identify(w io.Writer, id string) {
	for _, s := range []string{c.cfg.Scope, id} {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(s)))
		w.Write(n[:])
		io.WriteString(w, s)
	}
}
