package migration

import (
	"context"
	"time"

	"github.com/hotcut/hotcut/policy"
)

// HandOver is how far the phones of tenants that moved are on the platform that serves them now.
type HandOver struct {
	Platform policy.Platform `json:"platform"`
	Tenants  []string        `json:"tenants"`
	On       int             `json:"on"`      // phones that the platform holds
	Missing  int             `json:"missing"` // and those that it should hold and does not
	Failed   int             `json:"failed"`  // of them: our last REGISTER was refused
	Kept     bool            `json:"kept"`    // REGISTERs of ours can bring them there, or some of them
	Refresh  int64           `json:"refresh"` // unix seconds: by when all of them will have registered anew by themselves
	Silent   []string        `json:"silent"`  // edges that did not say
	Took     time.Duration   `json:"-"`
	TookMs   int64           `json:"tookMs"`
}

// Done reports whether every phone that is known of is there.
func (h HandOver) Done() bool { return h.Missing == 0 }

// Total counts the phones that the platform should hold.
func (h HandOver) Total() int { return h.On + h.Missing }

// Pace of looking at a hand-over: often at first, so that the printed time means something.
const (
	firstHandOverLook = 20 * time.Millisecond
	slowHandOverLook  = 500 * time.Millisecond
)

// AwaitHandOver looks until the phones of tenants are on a platform, as far as edges answer, or ctx ends. What can not
// be brought there by REGISTERs of ours is not waited for.
func (e *Engine) AwaitHandOver(ctx context.Context, side policy.Platform, tenants []string, progress func(HandOver)) HandOver {
	old, _ := e.lastRoster()
	began := time.Now()
	one := ""
	if len(tenants) == 1 {
		one = tenants[0]
	}
	for pause := firstHandOverLook; ; pause = min(2*pause, slowHandOverLook) {
		// A look that began in time is finished: it is the answer.
		all := e.Fleet.Phones(context.WithoutCancel(ctx), e.Fleet.Addresses(old.Nodes), one)
		sum := all.Sum(tenants...)
		h := HandOver{Platform: side, Tenants: tenants, On: sum.On(side), Missing: sum.Missing(side), Kept: all.keeps(side),
			Refresh: sum.NextRefresh, Silent: all.Silent, Took: time.Since(began)}
		h.Failed = min(sum.Failed, h.Missing)
		h.TookMs = h.Took.Milliseconds()
		if progress != nil {
			progress(h)
		}
		if h.Done() || !h.Kept {
			return h
		}
		select {
		case <-ctx.Done():
			h.Took = time.Since(began)
			h.TookMs = h.Took.Milliseconds()
			return h
		case <-time.After(pause):
		}
	}
}

// Moved lists the tenants of a plan that it moved to a platform: towards it, and not also away from it.
func (p *Plan) Moved(side policy.Platform) []string {
	want := policy.TowardsLegacy
	if side == policy.Core {
		want = policy.TowardsCore
	}
	var ids []string
	for _, m := range p.Moves {
		if m.Tenant != policy.AllTenants && (m.Motion == want || side == policy.Core && m.Motion == policy.Both) {
			ids = append(ids, m.Tenant)
		}
	}
	return ids
}
