package policy

import (
	"math"
	"math/bits"
	"slices"
	"strconv"
)

// numberTrie finds the innermost claim on a number. It is a value and never changes: insert and remove copy the path
// that they touch and share the rest, so a change of one tenant's numbers costs a few nodes.
//
// Invariant: any two claims of different tenants are, at every length, disjoint or strictly nested. So the claims that
// cover one number form a chain, and the smallest of them is the innermost.
type numberTrie struct {
	root   *trieNode
	ranges [maxDigits + 1]int32 // how many ranges there are of each length
	n      int
}

type trieNode struct {
	skip  string      // digits from the parent to here, at least one except at the root
	held  *heldClaim  // claims of which a block ends here
	kids  []*trieNode // in the order of their first digit
	which uint16      // bit d: there is a kid whose skip begins with digit d
}

// heldClaim is a claim in a node's list.
type heldClaim struct {
	claim
	id   string // tenant
	next *heldClaim
}

func (n *trieNode) kid(digit byte) (i int, ok bool) {
	bit := uint16(1) << (digit - '0')
	return bits.OnesCount16(n.which & (bit - 1)), n.which&bit != 0
}

// walk visits every claim that has a block on the path of the digits, outermost nodes first.
func (t *numberTrie) walk(number string, visit func(*heldClaim)) {
	for n, rest := t.root, number; n != nil; {
		for c := n.held; c != nil; c = c.next {
			visit(c)
		}
		if n, rest = n.step(rest); n == nil {
			return
		}
	}
}

func (n *trieNode) step(rest string) (*trieNode, string) {
	if rest == "" {
		return nil, ""
	}
	i, ok := n.kid(rest[0])
	if !ok {
		return nil, ""
	}
	k := n.kids[i]
	if len(rest) < len(k.skip) || rest[:len(k.skip)] != k.skip {
		return nil, ""
	}
	return k, rest[len(k.skip):]
}

// find returns the tenant of the innermost claim on a number, given as digits without +; "" if nobody claims it.
func (t *numberTrie) find(number string) string {
	if len(number) > maxLookup {
		return ""
	}
	id, best := "", uint64(math.MaxUint64)
	for n, rest := t.root, number; n != nil; n, rest = n.step(rest) {
		for c := n.held; c != nil; c = c.next {
			if lo, hi, ok := c.at(uint8(len(number))); ok && hi-lo < best {
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
	check := func(number uint64) {
		t.walk(strconv.FormatUint(number, 10), func(h *heldClaim) {
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
		check(c.lo)
		check(c.hi)
		return found, how
	}
	check(c.lo)
	for n := c.digits; n <= maxDigits && found == nil; n++ {
		if t.ranges[n] > 0 {
			lo, hi, _ := c.at(n)
			check(lo)
			check(hi)
		}
	}
	return found, how
}

// insert adds a claim. With own, the trie has no other reader yet and is changed in place.
func (t *numberTrie) insert(id string, c claim, own bool) {
	if t.root == nil {
		t.root = new(trieNode)
	}
	c.blocks(func(p string) { t.root = t.root.insert(p, &heldClaim{claim: c, id: id}, own) })
	if !c.prefix {
		t.ranges[c.digits]++
	}
	t.n++
}

func (n *trieNode) insert(p string, h *heldClaim, own bool) *trieNode {
	if !own {
		n = n.clone()
	}
	if p == "" {
		h.next, n.held = n.held, h
		return n
	}
	i, ok := n.kid(p[0])
	if !ok {
		n.kids = slices.Insert(n.kids, i, &trieNode{skip: p, held: h})
		n.which |= 1 << (p[0] - '0')
		return n
	}
	k := n.kids[i]
	common := commonLen(k.skip, p)
	if common < len(k.skip) { // split the edge
		mid := &trieNode{skip: k.skip[:common], which: 1 << (k.skip[common] - '0')}
		low := k
		if !own {
			low = k.clone()
		}
		low.skip = k.skip[common:]
		mid.kids = []*trieNode{low}
		n.kids[i] = mid.insert(p[common:], h, true)
		return n
	}
	n.kids[i] = k.insert(p[common:], h, own)
	return n
}

func (n *trieNode) clone() *trieNode {
	c := *n
	c.kids = slices.Clone(n.kids)
	return &c
}

func commonLen(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// remove takes a claim of a tenant away.
func (t *numberTrie) remove(id string, c claim) {
	if t.root == nil {
		return
	}
	c.blocks(func(p string) {
		if t.root = t.root.remove(p, id, c); t.root == nil {
			t.root = new(trieNode)
		}
	})
	if !c.prefix {
		t.ranges[c.digits]--
	}
	t.n--
}

// remove returns the node without the claim, nil when nothing is left of it.
func (n *trieNode) remove(p, id string, c claim) *trieNode {
	if p == "" {
		n = n.clone()
		n.held = n.held.without(id, c)
	} else {
		i, ok := n.kid(p[0])
		if !ok || len(p) < len(n.kids[i].skip) {
			return n
		}
		k := n.kids[i].remove(p[len(n.kids[i].skip):], id, c)
		n = n.clone()
		if k != nil {
			n.kids[i] = k
		} else {
			n.kids = slices.Delete(n.kids, i, i+1)
			n.which &^= 1 << (p[0] - '0')
		}
	}
	switch {
	case n.held != nil || len(n.kids) > 1 || n.skip == "":
		return n
	case len(n.kids) == 0:
		return nil
	}
	only := *n.kids[0] // no claim and one kid: join the two edges again
	only.skip = n.skip + only.skip
	return &only
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
