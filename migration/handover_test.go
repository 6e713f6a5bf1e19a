package migration

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hotcut/hotcut/policy"
)

func TestAwaitHandOver(t *testing.T) {
	for _, c := range []struct {
		name   string
		keep   string
		after  time.Duration // until all phones are on core
		budget time.Duration
		dead   bool
		want   HandOver // On, Missing, Kept, Took, and whether somebody is silent
	}{
		{"at once", "trust", 0, time.Second, false, HandOver{On: 3, Kept: true}},
		{"soon", "trust", time.Second, 5 * time.Second, false, HandOver{On: 3, Kept: true, Took: 1120 * time.Millisecond}},
		{"never", "trust", time.Hour, time.Second, false, HandOver{On: 1, Missing: 2, Failed: 1, Kept: true, Took: time.Second}},
		{"not by us", "none", time.Hour, time.Hour, false, HandOver{On: 1, Missing: 2, Failed: 1}},
		{"a silent edge is named, not waited for", "trust", 0, time.Hour, true, HandOver{On: 3, Kept: true, Silent: []string{"edge-2"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				phones := func() (EdgePhones, error) {
					on := 1
					if time.Since(began) >= c.after {
						on = 3
					}
					r := row("edge-1", "acme", 3, 3, on)
					r.Failed = 3 - on - 1 // one of them is refused
					if on == 3 {
						r.Failed = 2 // on legacy, which does not matter here
					}
					return EdgePhones{Rows: []Owned{r, row("edge-1", "birch", 7, 7, 0)}, Keep: map[string][]string{"core": {c.keep}}}, nil
				}
				es := edges{"1": {phones: phones}, "2": {phones: func() (EdgePhones, error) { return EdgePhones{}, errors.New("busy") }}}
				listed := []Address{{"edge-1", "1"}}
				if c.dead {
					listed = append(listed, Address{"edge-2", "2"})
				}
				e := &Engine{Fleet: &Fleet{Dial: es.dial, Listed: listed, Limit: time.Second}}
				ctx, cancel := context.WithTimeout(t.Context(), c.budget)
				defer cancel()
				looks := 0
				h := e.AwaitHandOver(ctx, policy.Core, []string{"acme"}, func(HandOver) { looks++ })
				if h.On != c.want.On || h.Missing != c.want.Missing || h.Kept != c.want.Kept || h.Failed != c.want.Failed || !same2(h.Silent, c.want.Silent) {
					t.Errorf("%+v", h)
				}
				if h.Took != c.want.Took || h.Done() != (h.Missing == 0) || h.Total() != 3 || looks == 0 {
					t.Errorf("took %s, %d looks", h.Took, looks)
				}
			})
		})
	}
}

func TestMoved(t *testing.T) {
	p := &Plan{Moves: []Move{{Tenant: "*", Motion: policy.TowardsCore}, {Tenant: "a", Motion: policy.TowardsCore}, {Tenant: "b", Motion: policy.TowardsLegacy},
		{Tenant: "c", Motion: policy.Both}, {Tenant: "d"}}}
	if c, l := p.Moved(policy.Core), p.Moved(policy.Legacy); !same2(c, []string{"a", "c"}) || !same2(l, []string{"b"}) {
		t.Errorf("core %v legacy %v", c, l)
	}
}
