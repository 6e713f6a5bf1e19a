package location

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if act() {
		return
	}
	goleak.VerifyTestMain(m)
}

func open(t testing.TB, o Options) *Table {
	t.Helper()
	if o.Now == nil {
		o.Now = func() time.Time { return noon }
	}
	table, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { table.Close() })
	return table
}

func TestPutAndFind(t *testing.T) {
	table := open(t, Options{})
	var changes []*Binding
	table.OnChange(func(b *Binding) { changes = append(changes, b) })
	a, b, other := phone(1), phone(2), phone(70)
	b.Tenant, b.AoR = a.Tenant, a.AoR
	b.Stamp++
	for _, x := range []*Binding{a, b, other} {
		if got, ok := table.Put(x); got != x || !ok {
			t.Fatalf("%+v, %v", got, ok)
		}
		if table.Get(x.ID) != x {
			t.Errorf("%s is not found", x.ID)
		}
	}
	if got := table.OfAoR(a.Tenant, a.AoR); !slices.Equal(got, []*Binding{b, a}) {
		t.Errorf("of the address-of-record: %v", got)
	}
	if got := slices.Collect(table.OfTenant(a.Tenant)); len(got) != 2 || !slices.Contains(got, a) || !slices.Contains(got, b) {
		t.Errorf("of the tenant: %v", got)
	}
	if got := slices.Collect(table.All()); len(got) != 3 || table.Len() != 3 {
		t.Errorf("all: %v", got)
	}
	for range table.All() {
		break
	}
	for range table.OfTenant(a.Tenant) {
		break
	}
	if table.OfAoR("", a.AoR) != nil || table.Get(ID{}) != nil || table.Count("nobody") != 0 {
		t.Error("found what is not there")
	}
	// It un-registers here and is still held there.
	off := b.Clone()
	off.Stamp++
	off.Told, off.Holds[0].Until, off.Holds[0].Stamp = 0, 0, off.Stamp
	if table.Put(off); table.Count(a.Tenant) != 2 {
		t.Errorf("count %d", table.Count(a.Tenant))
	}
	off = off.Clone()
	off.Holds[1].Until, off.Holds[1].Stamp = 0, off.Stamp
	if table.Put(off); table.Count(a.Tenant) != 1 {
		t.Errorf("count %d", table.Count(a.Tenant))
	}
	// No news: nobody is told.
	table.Put(a.Clone())
	table.Learn(b.Clone())
	if len(changes) != 5 || *changes[4] != *off {
		t.Errorf("%d changes", len(changes))
	}
}

// A record that names another address-of-record under a known id moves; nothing is left where it was.
func TestAnIDThatMoves(t *testing.T) {
	table := open(t, Options{})
	for range 3 { // neighbours in every list
		for i := range 3 {
			b := phone(i)
			b.Tenant, b.AoR = "acme", "anna@acme.example"
			table.Put(b)
		}
		for i := range 3 {
			b := table.Get(phone(i).ID).Clone()
			b.Stamp++
			b.Tenant, b.AoR = "other", "bert@other.example"
			table.Put(b)
			if n, m := len(table.OfAoR("acme", "anna@acme.example")), len(table.OfAoR("other", "bert@other.example")); n+m != 3 || m != i+1 {
				t.Fatalf("%d there, %d here", n, m)
			}
		}
		if n := len(slices.Collect(table.OfTenant("acme"))); n != 0 {
			t.Errorf("%d left", n)
		}
		if table.Sweep(noon.Add(24*time.Hour)) != 3 || len(table.index.byAoR)+len(table.index.byTenant) != 0 {
			t.Error("the index keeps what is gone")
		}
	}
}

func TestFull(t *testing.T) {
	table := open(t, Options{Limit: 100})
	for i := range 150 {
		b := phone(i)
		if got, ok := table.Put(b); ok != (i < 100) || got != b {
			t.Fatalf("%d: %v", i, ok)
		}
	}
	refresh := phone(3)
	refresh.Stamp++
	if got, ok := table.Put(refresh); !ok || table.Get(refresh.ID) != got {
		t.Error("a full table refuses a refresh")
	}
	long := phone(4)
	long.Stamp++
	long.Contact = string(make([]byte, MaxRecord))
	if _, ok := table.Put(long); ok || table.Get(long.ID).Contact == long.Contact {
		t.Error("a record that nobody can store was stored")
	}
	if s := table.Stats(); s.Full != 50 || s.Oversize != 1 || s.Bindings != 100 {
		t.Errorf("%+v", s)
	}
	table.Sweep(noon.Add(2 * time.Hour))
	if _, ok := table.Put(phone(200)); !ok || table.Len() != 1 {
		t.Error("nothing became free")
	}
}

func TestSweepKeepsTombstones(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, err := Open(Options{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- table.Run(ctx) }()
		begin := time.Now()
		minute, off := phone(1), phone(2)
		minute.Stamp, minute.Told = begin.UnixMicro(), begin.Unix()+60
		off.Stamp, off.Told = begin.UnixMicro(), 0
		minute.Holds, off.Holds = [2]Hold{}, [2]Hold{}
		table.Put(minute)
		table.Put(off)
		for _, step := range []struct {
			at   time.Duration
			have int
		}{{89 * time.Second, 2}, {92 * time.Second, 1}, {149 * time.Second, 1}, {152 * time.Second, 0}} {
			time.Sleep(step.at - time.Since(begin))
			if table.Len() != step.have {
				t.Errorf("after %v %d bindings, want %d", step.at, table.Len(), step.have)
			}
		}
		if n := table.Stats().Swept; n != 2 {
			t.Errorf("swept %d", n)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestGetDoesNotAllocate(t *testing.T) {
	table := open(t, Options{})
	for i := range 1000 {
		table.Put(phone(i))
	}
	id := phone(500).ID
	if n := testing.AllocsPerRun(100, func() {
		if table.Get(id) == nil || table.Get(ID{}) != nil {
			t.Error("wrong answer")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Whatever runs beside it, the table and its index end as a plain map would.
func TestConcurrentUse(t *testing.T) {
	table := open(t, Options{})
	feed := table.Feed()
	const ids = 200
	var want [ids]*Binding
	var mu sync.Mutex
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for w := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 1))
			for range 3000 {
				i := r.IntN(ids)
				b := phone(i)
				b.Stamp += r.Int64N(100)
				b.Told += r.Int64N(100)
				b.Holds[0].Stamp += r.Int64N(100)
				b.Holds[0].CSeq = r.Uint32()
				if r.IntN(10) == 0 {
					b.AoR = fmt.Sprint("moved", i%7)
				}
				mu.Lock()
				want[i] = Merge(want[i], b)
				mu.Unlock()
				table.Put(b)
			}
		})
	}
	var readers sync.WaitGroup
	readers.Go(func() {
		var batch []*Binding
		for {
			select {
			case <-stop:
				return
			case <-feed.Ready():
				for _, b := range feed.Take(batch[:0], 10) {
					feed.Owe(b.ID)
				}
			}
		}
	})
	readers.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			b := phone(i % ids)
			table.Get(b.ID)
			table.OfAoR(b.Tenant, b.AoR)
			table.Count(b.Tenant)
			table.Sweep(noon)
			for range table.OfTenant(b.Tenant) {
			}
			for range table.All() {
			}
			runtime.Gosched()
		}
	})
	wg.Wait()
	close(stop)
	readers.Wait()
	got := map[ID]*Binding{}
	for b := range table.All() {
		got[b.ID] = b
	}
	for i, b := range want {
		if b == nil || got[b.ID] == nil || *got[b.ID] != *b {
			t.Fatalf("%d: %+v, want %+v", i, got[phone(i).ID], b)
		}
		if !slices.Contains(table.OfAoR(b.Tenant, b.AoR), got[b.ID]) {
			t.Fatalf("%d is not found by its address-of-record", i)
		}
	}
	if len(got) != ids {
		t.Errorf("%d bindings", len(got))
	}
	// What was put back is still owed.
	owed := map[ID]bool{}
	for _, b := range feed.Take(nil, 1<<30) {
		owed[b.ID] = true
	}
	if !maps.Equal(owed, maps.Collect(func(yield func(ID, bool) bool) {
		for id := range got {
			if !yield(id, true) {
				return
			}
		}
	})) {
		t.Errorf("%d of %d are owed", len(owed), ids)
	}
}
