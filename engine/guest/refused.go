package guest

import (
	"container/list"

	"github.com/ipfs/go-cid"
)

// maxRefused is how many refused modules are remembered: some 500 bytes each.
const maxRefused = 4096

// refusals remembers why modules were refused, so that they are refused at once
// the next time. The one longest not asked for is forgotten first. Its user locks.
type refusals struct {
	byID  map[cid.Cid]*list.Element
	order list.List // of refusal, the last asked for first
}

type refusal struct {
	id  cid.Cid
	why error
}

// get returns why a module was refused, nil if it was not.
func (r *refusals) get(id cid.Cid) error {
	e := r.byID[id]
	if e == nil {
		return nil
	}
	r.order.MoveToFront(e)
	return e.Value.(refusal).why
}

func (r *refusals) add(id cid.Cid, why error) {
	if r.byID == nil {
		r.byID = map[cid.Cid]*list.Element{}
	}
	if r.byID[id] != nil {
		return
	}
	r.byID[id] = r.order.PushFront(refusal{id, why})
	if r.order.Len() > maxRefused {
		old := r.order.Remove(r.order.Back()).(refusal)
		delete(r.byID, old.id)
	}
}
