package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// ledger is the claims of all tenants as a list: slow, and obviously right.
type ledger []ledgerLine

type ledgerLine struct {
	id string
	c  claim
}

// covers asks the text of the number, not intervals.
func (l ledgerLine) covers(number string) bool {
	if l.c.prefix {
		return strings.HasPrefix(number, strconv.FormatUint(l.c.lo, 10))
	}
	lo, hi := strconv.FormatUint(l.c.lo, 10), strconv.FormatUint(l.c.hi, 10)
	return len(number) == len(lo) && lo <= number && number <= hi
}

func (l ledger) find(number string) string {
	id, best := "", uint64(0)
	for _, e := range l {
		if !e.covers(number) {
			continue
		}
		size := e.c.hi - e.c.lo + 1
		for i := len(strconv.FormatUint(e.c.lo, 10)); e.c.prefix && i < len(number); i++ {
			size *= 10
		}
		if best == 0 || size < best {
			id, best = e.id, size
		}
	}
	return id
}

// clash compares the claims number by number: the universe is small.
func (l ledger) clash(id string, c claim, universe []string) bool {
	for _, e := range l {
		if e.id == id {
			continue
		}
		for n := 1; n <= 5; n++ {
			var both, onlyC, onlyE bool
			for _, u := range universe {
				if len(u) != n {
					continue
				}
				inC, inE := ledgerLine{id, c}.covers(u), e.covers(u)
				both, onlyC, onlyE = both || inC && inE, onlyC || inC && !inE, onlyE || inE && !inC
			}
			if both && onlyC == onlyE {
				return true
			}
		}
	}
	return false
}

// universe holds every number of up to five digits that begins with 1.
func universe() (list []string) {
	for n, lo := 1, 1; n <= 5; n, lo = n+1, lo*10 {
		for i := lo; i < 2*lo; i++ {
			list = append(list, strconv.Itoa(i))
		}
	}
	return list
}

func smallClaim(a, b uint16, n uint8, prefix bool) claim {
	n = n%5 + 1
	p := pow10[n-1]
	lo, hi := p+uint64(a)%p, p+uint64(b)%p
	if prefix {
		return claim{lo: lo, hi: lo, digits: n, prefix: true}
	}
	return claim{lo: min(lo, hi), hi: max(lo, hi), digits: n}
}

// checkTrie drives trie and ledger with the same steps: each byte group is a claim to add, or a tenant to take away.
func checkTrie(t *testing.T, steps []byte, all []string) {
	var trie numberTrie
	var book ledger
	type past struct {
		trie numberTrie
		book ledger
	}
	var history []past
	for ; len(steps) >= 6; steps = steps[6:] {
		id := string('a' + rune(steps[0]%5))
		if steps[0]%16 == 15 {
			for _, e := range book {
				if e.id == id {
					trie.remove(id, e.c)
				}
			}
			book = slices.DeleteFunc(slices.Clone(book), func(e ledgerLine) bool { return e.id == id })
		} else {
			c := smallClaim(uint16(steps[1])<<8|uint16(steps[2]), uint16(steps[3])<<8|uint16(steps[4]), steps[5], steps[5]%2 == 0)
			h, how := trie.clash(id, c)
			if want := book.clash(id, c, all); want != (h != nil) {
				t.Fatalf("%s claims %s of %v: trie says %q, want clash=%t", id, c, book, how, want)
			}
			if h != nil {
				continue
			}
			trie.insert(id, c, false)
			book = append(slices.Clone(book), ledgerLine{id, c})
		}
		history = append(history, past{trie, book})
	}
	// Every version is still what it was: nothing was changed in place.
	for i, h := range history {
		if i%7 != 0 && i != len(history)-1 {
			continue
		}
		if h.trie.n != len(h.book) {
			t.Fatalf("trie holds %d claims, want %d", h.trie.n, len(h.book))
		}
		for j := i % 5; j < len(all); j += 5 {
			if got, want := h.trie.find(all[j]), h.book.find(all[j]); got != want {
				t.Fatalf("%s is %q's, want %q, claims %v", all[j], got, want, h.book)
			}
		}
	}
}

func TestTrieAgainstList(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	all := universe()
	for range 8 {
		steps := make([]byte, 6*40)
		for i := range steps {
			steps[i] = byte(r.Uint32())
		}
		checkTrie(t, steps, all)
	}
}

func FuzzNumberClaims(f *testing.F) {
	f.Add([]byte("\x00\x00\x10\x00\x20\x03\x01\x00\x14\x00\x18\x03\x0f\x00\x00\x00\x00\x00"))
	all := universe()
	f.Fuzz(func(t *testing.T, steps []byte) {
		checkTrie(t, steps[:min(len(steps), 6*20)], all)
	})
}

func FuzzParseClaim(f *testing.F) {
	for _, s := range []string{"+1303", "+13035550100-+13035550199", "+1-+2", "1", "+", "+123456789012345", "-+"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := parseClaim(s)
		if err != nil {
			return
		}
		if c.String() != s {
			t.Fatalf("%q is read as %q: two forms of one claim", s, c)
		}
		if c.lo > c.hi || c.digits == 0 || c.digits > maxDigits {
			t.Fatalf("%q gives %+v", s, c)
		}
		n, last := 0, uint64(0)
		c.blocks(func(p digitString) {
			if n++; p.n == 0 || p.v <= last && n > 1 && p.n >= 15 {
				t.Fatalf("%q: block %d is %+v", s, n, p)
			}
			last = p.v
		})
		if n == 0 || n > 18*maxDigits {
			t.Fatalf("%q has %d blocks", s, n)
		}
	})
}

// Ranges match only numbers of their length; a prefix matches all that begin with it; the innermost wins.
func TestNestedNumbers(t *testing.T) {
	s := snapshot(t,
		tenant("carrier", func(t *Tenant) { t.Numbers = []string{"+1"} }),
		tenant("region", func(t *Tenant) { t.Numbers = []string{"+1303555"} }),
		tenant("block", func(t *Tenant) { t.Numbers = []string{"+13035550100-+13035550199"} }),
		tenant("ported", func(t *Tenant) { t.Numbers = []string{"+13035550150"} }),
		tenant("edge", func(t *Tenant) { t.Numbers = []string{"+13035550095-+13035550099"} }),
		tenant("other", func(t *Tenant) { t.Numbers = []string{"+4420"} }),
	)
	for number, want := range map[string]string{
		"+13035550100": "block", "+13035550199": "block", "+13035550150": "ported", "+130355501501": "ported",
		"+13035550200": "region", "+130355501001": "region", "+1303555010": "region", "+13035550094": "region",
		"+13035550095": "edge", "+13035550099": "edge", "+12125551234": "carrier", "+1": "carrier", "+442079460000": "other",
		"+49": "", "+": "", "": "", "13035550100": "", "+1303555010x": "", "+1303555010012345": "",
	} {
		got := ""
		if r := s.ByNumber(number); r != nil {
			got = r.Tenant.ID
		}
		if got != want {
			t.Errorf("%s is %q's, want %q", number, got, want)
		}
	}
}

// A number passes from one tenant to another in one change; in two, the first of which clashes, it does not.
func TestNumberPassesOn(t *testing.T) {
	s := commit(t, Empty(testEpoch), add(tenant("acme", func(t *Tenant) { t.Numbers = []string{"+1303555"} }), tenant("beta")))
	give := change(s, "acme", func(t *Tenant) { t.Numbers = nil })
	take := change(s, "beta", func(t *Tenant) { t.Numbers = []string{"+1303555"} })
	if _, _, err := tryCommit(s, take); err == nil || !strings.Contains(err.Error(), "acme") || !strings.Contains(err.Error(), "beta") {
		t.Fatalf("a number taken twice: %v", err)
	}
	give.Tenants = append(give.Tenants, take.Tenants...)
	s = commit(t, s, give)
	if r := s.ByNumber("+13035550000"); r == nil || r.Tenant.ID != "beta" {
		t.Fatalf("the number is %v's", r)
	}
}

// Many changes leave the same policy as one load of the result.
func TestManyChangesEqualOneLoad(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	s := Empty(testEpoch)
	for step := range 300 {
		id := fmt.Sprintf("t%d", r.IntN(20))
		c := Change{Kind: KindTenant}
		next := tenant(id, func(t *Tenant) {
			for range r.IntN(4) {
				t.Numbers = append(t.Numbers, fmt.Sprintf("+1%d", 1000+r.IntN(1000)))
			}
			slices.Sort(t.Numbers)
			t.Numbers = slices.Compact(t.Numbers)
			if r.IntN(2) == 0 {
				t.Trunks = []Trunk{{Name: "a", Source: fmt.Sprintf("10.0.%d.0/24", r.IntN(30))}, {Name: "b", Source: fmt.Sprintf("10.%d.0.0/16", 1+r.IntN(30)), Port: 5060}}
			}
		})
		tc := TenantChange{ID: id, After: next}
		if old := s.Tenant(id); old != nil {
			if tc.Before = old.Tenant; r.IntN(4) == 0 {
				tc.After = nil
			}
		}
		c.Tenants = []TenantChange{tc}
		if _, n, err := tryCommit(s, c); err == nil {
			s = n
		} else if _, ok := err.(*Refusal); !ok {
			t.Fatalf("step %d: %v", step, err)
		}
	}
	var list []*Tenant
	for r := range s.All() {
		list = append(list, r.Tenant)
	}
	whole, err := NewSnapshot(s.Head(), s.Globals(), list)
	if err != nil {
		t.Fatal(err)
	}
	if whole.Numbers() != s.Numbers() || len(whole.trunks.v4) != len(s.trunks.v4) {
		t.Fatalf("%d numbers, want %d", s.Numbers(), whole.Numbers())
	}
	for i := range 10_000 {
		n := fmt.Sprintf("+1%d", 100+i)
		if a, b := s.ByNumber(n), whole.ByNumber(n); (a == nil) != (b == nil) || a != nil && a.Tenant.ID != b.Tenant.ID {
			t.Fatalf("%s differs", n)
		}
	}
}
