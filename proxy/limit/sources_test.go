package limit

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
)

const (
	second = int64(1_000_000_000)
	start  = 1_700_000_000 * second
)

var (
	phone  = netip.MustParseAddr("192.0.2.7")
	config = SourcesConfig{Entries: 1 << 16, Rate: 10, Burst: 20, ExemptRate: 2, ExemptBurst: 4, Seed: 1}
)

func ipv4(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// count is how many of n messages at now pass.
func count(s *Sources, addr netip.Addr, now int64, class Class, n int) (passed int) {
	for range n {
		if s.Allow(addr, now, class, 1) {
			passed++
		}
	}
	return passed
}

func TestBudgets(t *testing.T) {
	s := NewSources(config)
	for _, step := range []struct {
		at    int64 // ns since start
		class Class
		n     int
		want  int
	}{
		{0, New, 50, 20},
		{0, Exempt, 50, 4}, // of its own
		{second / 10, New, 50, 1},
		{second/10 + second/20, New, 50, 0},
		{second / 5, New, 50, 1},
		{second, Exempt, 50, 2},
		{11 * second, New, 50, 20}, // never more than the burst
		{11 * second, Exempt, 50, 4},
		{10*second + 1, New, 50, 0},   // a reader that is behind
		{11 * second, New, 50, 0},     // does not refill the same time twice
		{-3600 * second, New, 50, 0},  // the clock is set back:
		{-3599 * second, New, 50, 10}, // refilled from there on
		{0, classes, 5, 0},
	} {
		if got := count(s, phone, start+step.at, step.class, step.n); got != step.want {
			t.Errorf("at %+d ms, class %d: %d pass, want %d", step.at/1e6, step.class, got, step.want)
		}
	}
}

func TestNoBudgetAllowsNothing(t *testing.T) {
	s := NewSources(SourcesConfig{Rate: 1, Burst: 1})
	if s.Allow(phone, start, Exempt, 1) || !s.Allow(phone, start, New, 1) {
		t.Error("a budget of nothing has allowed")
	}
}

// TestWhatIsASource holds which addresses share a bucket.
func TestWhatIsASource(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "192.0.2.2", false},
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true},
		{"2001:db8:0:1::1", "2001:db8:0:2::1", false},
		{"fe80::1%eth0", "fe80::2%eth1", true},
		{"0.0.0.1", "::1", false},
		{"0.0.0.0", "::", false},
	} {
		s := NewSources(SourcesConfig{Burst: 1, Seed: 3})
		s.Allow(netip.MustParseAddr(c.a), start, New, 1)
		if same := !s.Allow(netip.MustParseAddr(c.b), start, New, 1); same != c.same {
			t.Errorf("%s and %s: one source %v, want %v", c.a, c.b, same, c.same)
		}
	}
	if !NewSources(config).Allow(netip.Addr{}, start, New, 1) {
		t.Error("an invalid address has no bucket")
	}
}

// TestTenMillionSources floods the table from 5 million IPv4 addresses and 5
// million /64: it has what it had, every entry of it at most. A source that goes
// on sending keeps its empty bucket: the flood does not refill it.
func TestTenMillionSources(t *testing.T) {
	const entries = 1 << 16
	s := NewSources(config)
	sets := len(s.sets)
	now := start
	if got := count(s, phone, now, New, 100); got != 20 {
		t.Fatalf("%d pass", got)
	}
	passed := 0
	var six [16]byte
	copy(six[:], "\x20\x01\x0d\xb8")
	for n := range uint32(flood / 2) {
		now += second / flood // so the flood takes half a second
		s.Allow(ipv4(n*2654435761), now, New, 1)
		binary.BigEndian.PutUint32(six[4:], n)
		s.Allow(netip.AddrFrom16(six), now, New, 1)
		if n%1000 == 0 && s.Allow(phone, now, New, 1) {
			passed++
		}
		if n%(flood/20) == 0 && s.Len() > entries {
			t.Fatalf("%d entries after %d sources", s.Len(), n)
		}
	}
	if n := s.Len(); n != entries || len(s.sets) != sets || sets*ways != entries {
		t.Errorf("%d entries in %d sets, want %d", n, len(s.sets), entries)
	}
	if passed > 5 { // that is 10 per second
		t.Errorf("the flood has let %d messages of a source through whose bucket was empty", passed)
	}
}

// TestOldestMakesRoom holds the order of eviction in one set.
func TestOldestMakesRoom(t *testing.T) {
	s := NewSources(SourcesConfig{Entries: 1, Burst: 1, Seed: 5})
	var same []netip.Addr // addresses of one set
	for n := uint32(1); len(same) < ways+2; n++ {
		if prefix, family := prefixOf(ipv4(n)); s.hash(prefix, family)&s.mask == 0 {
			same = append(same, ipv4(n))
		}
	}
	for i, a := range same[:ways] {
		if !s.Allow(a, start+int64(i), New, 1) {
			t.Fatal("no room")
		}
	}
	s.Allow(same[0], start+100, New, 1) // so same[1] is the oldest
	if !s.Allow(same[ways], start+101, New, 1) || s.Len() != ways {
		t.Fatalf("no room was made: %d", s.Len())
	}
	for i, a := range same[:ways+1] {
		if i == 1 {
			continue // asking would bring it back
		}
		if s.Allow(a, start+102, New, 1) {
			t.Errorf("%d was evicted", i)
		}
	}
	if !s.Allow(same[1], start+103, New, 1) {
		t.Error("the oldest is still there")
	}
}

// TestSourcesSpread holds that neighbouring addresses, which is what a flood looks
// like, fill all sets alike.
func TestSourcesSpread(t *testing.T) {
	for name, addr := range map[string]func(uint32) netip.Addr{
		"consecutive": func(n uint32) netip.Addr { return ipv4(10<<24 + n) },
		"one per /16": func(n uint32) netip.Addr { return ipv4(n<<16 | n>>16) },
		"/64": func(n uint32) netip.Addr {
			var b [16]byte
			binary.BigEndian.PutUint32(b[4:], n)
			return netip.AddrFrom16(b)
		},
		"/32": func(n uint32) netip.Addr {
			var b [16]byte
			binary.BigEndian.PutUint32(b[:], n)
			return netip.AddrFrom16(b)
		},
	} {
		for seed := range uint64(20) {
			s := NewSources(SourcesConfig{Entries: 1 << 14, Burst: 1, Seed: seed})
			for n := range uint32(1 << 13) {
				s.Allow(addr(n), start, New, 1)
			}
			if n := s.Len(); n < 1<<13*97/100 {
				t.Errorf("%s, seed %d: at half load %d of %d are kept", name, seed, n, 1<<13)
			}
		}
	}
}

func TestEntriesAreBounded(t *testing.T) {
	for entries, want := range map[int]int{-5: 512, 0: 512, 512: 512, 513: 1024, 100_000: 1 << 17} {
		if got := len(NewSources(SourcesConfig{Entries: entries}).sets) * ways; got != want {
			t.Errorf("%d entries: %d, want %d", entries, got, want)
		}
	}
}

func TestAllowDoesNotAllocate(t *testing.T) {
	s := NewSources(SourcesConfig{Rate: 1, Burst: 1})
	n := uint32(0)
	if a := testing.AllocsPerRun(5000, func() {
		n++
		s.Allow(ipv4(n*7919), start+int64(n), New, 1)
		s.Allow(phone, start+int64(n), Exempt, 1)
	}); a != 0 {
		t.Errorf("%v allocations", a)
	}
}

// TestSourcesConcurrently holds that no token is spent twice.
func TestSourcesConcurrently(t *testing.T) {
	s := NewSources(SourcesConfig{Burst: 1000, Seed: 2})
	var wg sync.WaitGroup
	var passed [8]int
	for g := range passed {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 0))
			for n := range 2000 {
				if s.Allow(phone, start+int64(n), New, 1) {
					passed[g]++
				}
				s.Allow(ipv4(r.Uint32N(50)), start, New, 1)
			}
		})
	}
	wg.Wait()
	sum := 0
	for _, n := range passed {
		sum += n
	}
	if sum != 1000 {
		t.Errorf("%d passed of a burst of 1000", sum)
	}
}

func BenchmarkAllow(b *testing.B) {
	s := NewSources(config)
	for n := range b.N {
		s.Allow(ipv4(uint32(n)*2654435761), start+int64(n), New, 1)
	}
}

// A source with many phones has a budget for each of them, from its first message on.
func TestManyBudgetsOfOneSource(t *testing.T) {
	s := NewSources(SourcesConfig{Rate: 2, Burst: 4, ExemptRate: 2, ExemptBurst: 4})
	passed := func(now int64, times int) (n int) {
		for s.Allow(ipv4(1), now, New, times) {
			n++
		}
		return n
	}
	if n := passed(1e18, 10); n != 40 {
		t.Errorf("%d at once, want 40", n)
	}
	if n := passed(1e18+1e9, 10); n != 20 {
		t.Errorf("%d after a second, want 20", n)
	}
	if n := passed(1e18+2e9, 1); n != 2 {
		t.Errorf("%d for one phone, want 2", n)
	}
}
