package limit

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

func TestCallsAtATime(t *testing.T) {
	s := NewTenants()
	lim := Rates{Calls: 2}
	call := func(want bool, reason string) {
		t.Helper()
		if ok, why := s.Call("acme", lim, start); ok != want || why != reason {
			t.Errorf("%v %q, want %v %q", ok, why, want, reason)
		}
	}
	call(true, "")
	call(true, "")
	call(false, TenantCalls)
	if ok, _ := s.Call("other", lim, start); !ok {
		t.Error("tenants share a limit")
	}
	s.End("acme")
	call(true, "")
	call(false, TenantCalls)
	if n := s.Calls("acme"); n != 2 {
		t.Errorf("%d calls", n)
	}
	lim.Calls = 3 // the policy has changed
	call(true, "")
	lim.Calls = 1
	call(false, TenantCalls)
	for range 10 { // more than there were
		s.End("acme")
	}
	s.End("nobody")
	call(true, "")
	if s.Calls("acme") != 1 || s.Calls("nobody") != 0 {
		t.Error("a count went below zero")
	}
}

func TestCallsPerSecond(t *testing.T) {
	for _, c := range []struct {
		rate  float64
		at    []int64 // ms
		calls int     // tried at each
		want  []int   // of which pass
	}{
		{5, []int64{0, 100, 200, 400, 1400, 9000}, 10, []int{5, 0, 1, 1, 5, 5}},
		{0.5, []int64{0, 1000, 2000, 100_000}, 3, []int{1, 0, 1, 1}},
		{0, []int64{0, 1}, 1000, []int{1000, 1000}},
	} {
		s := NewTenants()
		for i, at := range c.at {
			passed := 0
			for range c.calls {
				ok, why := s.Call("acme", Rates{CallsPerSecond: c.rate}, start+at*1e6)
				if ok {
					passed++
				} else if why != TenantRate {
					t.Errorf("reason %q", why)
				}
			}
			if passed != c.want[i] {
				t.Errorf("%v/s at %d ms: %d pass, want %d", c.rate, at, passed, c.want[i])
			}
		}
	}
}

// TestRefusedCallsCostNothing holds that a call refused by one limit takes nothing
// of the other.
func TestRefusedCallsCostNothing(t *testing.T) {
	s := NewTenants()
	lim := Rates{CallsPerSecond: 2, Calls: 1}
	s.Call("acme", lim, start)
	for range 10 {
		if ok, why := s.Call("acme", lim, start); ok || why != TenantCalls {
			t.Fatalf("%v %q", ok, why)
		}
	}
	s.End("acme")
	if ok, _ := s.Call("acme", lim, start); !ok {
		t.Error("calls that were refused have spent the rate")
	}
	lim.Calls = 9
	if ok, why := s.Call("acme", lim, start); ok || why != TenantRate || s.Calls("acme") != 1 {
		t.Errorf("%v %q, %d calls", ok, why, s.Calls("acme"))
	}
}

// TestTenantsForgets holds that those without calls do not pile up, and those with
// calls or a spent bucket are never forgotten.
func TestTenantsForgets(t *testing.T) {
	s := NewTenants()
	s.Call("talking", Rates{}, start)
	s.Call("spent", Rates{CallsPerSecond: 1e-9}, start)
	s.End("spent")
	for n := range 200_000 {
		id := fmt.Sprint("t", n)
		s.Call(id, Rates{CallsPerSecond: 10}, start+int64(n)*second)
		s.End(id)
	}
	if n := s.Len(); n > stripes*2*firstSweep {
		t.Errorf("%d tenants without a call are remembered", n)
	}
	if s.Calls("talking") != 1 {
		t.Error("a call was forgotten")
	}
	if ok, _ := s.Call("spent", Rates{CallsPerSecond: 1e-9}, start+100*second); ok {
		t.Error("a spent bucket was forgotten")
	}
}

func TestTenantsDoNotAllocate(t *testing.T) {
	s := NewTenants()
	lim := Rates{CallsPerSecond: 1e6, Calls: 100}
	s.Call("acme", lim, start)
	n := start
	if a := testing.AllocsPerRun(1000, func() {
		n += second
		s.Call("acme", lim, n)
		s.End("acme")
	}); a != 0 {
		t.Errorf("%v allocations", a)
	}
}

func TestTenantsConcurrently(t *testing.T) {
	s := NewTenants()
	var wg sync.WaitGroup
	for g := range uint64(8) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(g, 0))
			for range 2000 {
				id := fmt.Sprint(r.IntN(500))
				if ok, _ := s.Call(id, Rates{Calls: 3}, start); ok {
					if s.Calls(id) > 3 {
						t.Error("over the limit")
					}
					s.End(id)
				}
			}
		})
	}
	wg.Wait()
	for n := range 500 {
		if c := s.Calls(fmt.Sprint(n)); c != 0 {
			t.Errorf("%d calls are left", c)
		}
	}
}
