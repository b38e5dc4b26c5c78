package slots

// queue is a heap of the guests that wait: least virtual time first, those with
// the same in the order in which they came.
type queue []*Turn

func (q queue) less(i, j int) bool {
	a, b := q[i], q[j]
	return a.used < b.used || a.used == b.used && a.number < b.number
}

func (q queue) swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (q *queue) push(t *Turn) {
	t.index = len(*q)
	*q = append(*q, t)
	q.up(t.index)
}

func (q *queue) pop() *Turn {
	first := (*q)[0]
	q.remove(first)
	return first
}

func (q *queue) remove(t *Turn) {
	i, last := t.index, len(*q)-1
	q.swap(i, last)
	(*q)[last] = nil
	*q = (*q)[:last]
	if i < last {
		q.down(i)
		q.up(i)
	}
}

func (q queue) up(i int) {
	for i > 0 && q.less(i, (i-1)/2) {
		q.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
}

func (q queue) down(i int) {
	for {
		child := 2*i + 1
		if child+1 < len(q) && q.less(child+1, child) {
			child++
		}
		if child >= len(q) || !q.less(child, i) {
			return
		}
		q.swap(i, child)
		i = child
	}
}
