package policy

import (
	"math"
	"math/bits"
	"slices"
)

// numberTrie finds the innermost claim on a number. It is a value and never changes: insert and remove copy the path
// that they touch and share the rest, so a change of one tenant's numbers costs a few nodes.
//
// Invariant: any two claims of different tenants are, at every length, disjoint or strictly nested. So the claims that
// cover one number form a chain, and the smallest of them is the innermost.
type numberTrie struct {
	root   trieNode
	ranges [maxDigits + 1]int32 // how many ranges there are of each length
	n      int
}

// trieNode holds its kids by value: a step down the trie is one cache miss, not two.
type trieNode struct {
	skip  digitString // digits from the parent to here, at least one except at the root
	which uint16      // bit d: there is a kid whose skip begins with digit d
	held  *heldClaim  // claims of which a block ends here
	kids  []trieNode  // in the order of their first digit
}

// heldClaim is a claim in a node's list.
type heldClaim struct {
	claim
	id   string // tenant
	next *heldClaim
}

func (n *trieNode) kid(digit uint8) (i int, ok bool) {
	bit := uint16(1) << digit
	return bits.OnesCount16(n.which & (bit - 1)), n.which&bit != 0
}

// step goes one node down the path of the digits, nil where it ends.
func (n *trieNode) step(rest digitString) (*trieNode, digitString) {
	if rest.n == 0 {
		return nil, rest
	}
	i, ok := n.kid(rest.first())
	if !ok || !rest.begins(n.kids[i].skip) {
		return nil, rest
	}
	return &n.kids[i], rest.cut(n.kids[i].skip.n)
}

// walk visits every claim that has a block on the path of the digits, outermost nodes first.
func (t *numberTrie) walk(number digitString, visit func(*heldClaim)) {
	for n, rest := &t.root, number; n != nil; n, rest = n.step(rest) {
		for c := n.held; c != nil; c = c.next {
			visit(c)
		}
	}
}

// find returns the tenant of the innermost claim on a number, given as digits without +; "" if nobody claims it.
func (t *numberTrie) find(number string) string {
	d, ok := packDigits(number)
	if !ok {
		return ""
	}
	id, best := "", uint64(math.MaxUint64)
	for n, rest := &t.root, d; n != nil; n, rest = n.step(rest) {
		for c := n.held; c != nil; c = c.next {
			if lo, hi, ok := c.at(d.n); ok && hi-lo < best {
				id, best = c.id, hi-lo
			}
		}
	}
	return id
}

// clash returns a claim of another tenant that c would equal or cross, and which of the two.
func (t *numberTrie) clash(id string, c claim) (*heldClaim, string) {
	var found *heldClaim
	var how string
	check := func(number uint64, n uint8) {
		t.walk(digitsOf(number, n), func(h *heldClaim) {
			if found == nil && h.id != id {
				if w := c.clash(h.claim); w != "" {
					found, how = h, w
				}
			}
		})
	}
	// A claim that crosses or equals c covers one of c's ends. A prefix has ends at every length; only lengths at
	// which there are ranges matter, since two prefixes never cross.
	if !c.prefix {
		check(c.lo, c.digits)
		check(c.hi, c.digits)
		return found, how
	}
	check(c.lo, c.digits)
	for n := c.digits; n <= maxDigits && found == nil; n++ {
		if t.ranges[n] > 0 {
			lo, hi, _ := c.at(n)
			check(lo, n)
			check(hi, n)
		}
	}
	return found, how
}

// insert adds a claim. With own, the trie has no other reader yet and is changed in place.
func (t *numberTrie) insert(id string, c claim, own bool) {
	c.blocks(func(p digitString) { t.root.insert(p, &heldClaim{claim: c, id: id}, own) })
	if !c.prefix {
		t.ranges[c.digits]++
	}
	t.n++
}

// insert changes n itself, which is the caller's own, and copies the kids before it changes them, unless own.
func (n *trieNode) insert(p digitString, h *heldClaim, own bool) {
	if p.n == 0 {
		h.next, n.held = n.held, h
		return
	}
	i, ok := n.kid(p.first())
	if !ok {
		n.kids = insertKid(n.kids, i, trieNode{skip: p, held: h}, own)
		n.which |= 1 << p.first()
		return
	}
	if !own {
		n.kids = slices.Clone(n.kids)
	}
	k := &n.kids[i]
	common := k.skip.common(p)
	if common < k.skip.n { // split the edge
		low := *k
		low.skip = k.skip.cut(common)
		*k = trieNode{skip: k.skip.head(common), which: 1 << low.skip.first(), kids: []trieNode{low}}
		own = true // what is below is new, but for low, where p does not go
	}
	k.insert(p.cut(common), h, own)
}

// insertKid grows in steps that fit a radix of ten.
func insertKid(kids []trieNode, i int, k trieNode, own bool) []trieNode {
	if own && len(kids) < cap(kids) {
		return slices.Insert(kids, i, k)
	}
	room := len(kids) + 1
	if own {
		room = min(10, room+room/2)
	}
	next := make([]trieNode, 0, room)
	return append(append(append(next, kids[:i]...), k), kids[i:]...)
}

// remove takes a claim of a tenant away. The claim is there.
func (t *numberTrie) remove(id string, c claim) {
	c.blocks(func(p digitString) { t.root.remove(p, id, c) })
	if !c.prefix {
		t.ranges[c.digits]--
	}
	t.n--
}

// remove changes n itself, which is the caller's own, and reports whether nothing is left of it.
func (n *trieNode) remove(p digitString, id string, c claim) bool {
	if p.n == 0 {
		n.held = n.held.without(id, c)
	} else {
		i, _ := n.kid(p.first())
		n.kids = slices.Clone(n.kids)
		if k := &n.kids[i]; k.remove(p.cut(k.skip.n), id, c) {
			n.kids = slices.Delete(n.kids, i, i+1)
			n.which &^= 1 << p.first()
		}
	}
	if n.held != nil || n.skip.n == 0 {
		return false
	}
	if len(n.kids) == 1 { // no claim and one kid: join the two edges again
		only := n.kids[0]
		only.skip = n.skip.join(only.skip)
		*n = only
	}
	return n.held == nil && len(n.kids) == 0
}

func (h *heldClaim) without(id string, c claim) *heldClaim {
	switch {
	case h == nil:
		return nil
	case h.id == id && h.claim == c:
		return h.next
	}
	cp := *h
	cp.next = h.next.without(id, c)
	return &cp
}
