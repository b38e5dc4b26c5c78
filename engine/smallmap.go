package engine

import "iter"

// smallMap is a map that takes no memory of its own for its first element:
// nearly all processes have one monitor, or one link. The zero value is empty, and so is
// nil, which set does not take.
type smallMap[K comparable, V any] struct {
	key  K
	val  V
	one  bool // key and val are an element
	more map[K]V
}

func (m *smallMap[K, V]) set(k K, v V) {
	_, inMore := m.more[k]
	if !inMore && (!m.one || m.key == k) {
		m.key, m.val, m.one = k, v, true
		return
	}
	if m.more == nil {
		m.more = map[K]V{}
	}
	m.more[k] = v
}

func (m *smallMap[K, V]) get(k K) (v V, ok bool) {
	if m == nil {
		return v, false
	}
	if m.one && m.key == k {
		return m.val, true
	}
	v, ok = m.more[k]
	return v, ok
}

// delete removes the element, and reports whether it was there.
func (m *smallMap[K, V]) delete(k K) bool {
	if m == nil {
		return false
	}
	if m.one && m.key == k {
		var zeroK K
		var zeroV V
		m.key, m.val, m.one = zeroK, zeroV, false
		return true
	}
	_, ok := m.more[k]
	delete(m.more, k)
	return ok
}

// all returns the elements in no order. An element may be deleted on the way.
func (m *smallMap[K, V]) all() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		if m == nil || m.one && !yield(m.key, m.val) {
			return
		}
		for k, v := range m.more {
			if !yield(k, v) {
				return
			}
		}
	}
}
