package main

import (
	"context"
	"fmt"
	"time"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/policy"
)

// handOver waits, after a commit that edges run, until the phones of those who moved are where they are served now. It
// never makes a change fail: what is missing is said, with what to look at.
func (a *app) handOver(ctx context.Context, e *migration.Engine, out *migration.Outcome) []migration.HandOver {
	done := []migration.HandOver{}
	if !out.Waited || out.Edges.Applied == 0 || out.Plan.Empty() {
		return done
	}
	// Half as long again as the edges got: an own REGISTER is answered or lost within a few seconds.
	ctx, cancel := context.WithTimeout(ctx, a.change.wait*3/2)
	defer cancel()
	for _, side := range []policy.Platform{policy.Core, policy.Legacy} {
		ids := out.Plan.Moved(side)
		if len(ids) == 0 {
			continue
		}
		h := a.awaitHandOver(ctx, e, side, ids)
		if h.Total() > 0 || len(h.Silent) > 0 {
			done = append(done, h)
		}
	}
	return done
}

func (a *app) awaitHandOver(ctx context.Context, e *migration.Engine, side policy.Platform, ids []string) migration.HandOver {
	if !a.colours || a.conf.Output != "table" {
		return e.AwaitHandOver(ctx, side, ids, nil)
	}
	told := false
	h := e.AwaitHandOver(ctx, side, ids, func(h migration.HandOver) {
		if h.Took > time.Second && !h.Done() {
			fmt.Fprintf(a.err, "\rphones %d/%d on %s ", h.On, h.Total(), h.Platform)
			told = true
		}
	})
	if told {
		fmt.Fprint(a.err, "\r\x1b[K")
	}
	return h
}

// handOverLine is "phones 41/41 on core in 1.20 s"; "" when no phone is known.
func (a *app) handOverLine(h migration.HandOver) string {
	s := fmt.Sprintf("phones %d/%d on %s", h.On, h.Total(), h.Platform)
	switch {
	case h.Total() == 0:
		return ""
	case h.Done():
		return s + " in " + migration.Ago(h.Took)
	case !h.Kept:
		return s + "   the others when they register anew" + within(h.Refresh, a.now())
	}
	return s + " after " + migration.Ago(h.Took)
}

// handOverWarnings say what is missing, and why if that is known.
func (a *app) handOverWarnings(h migration.HandOver) (warnings, next []string) {
	look := "hotcut registrations"
	if len(h.Tenants) == 1 {
		look += " " + h.Tenants[0]
	}
	if len(h.Silent) > 0 {
		warnings = append(warnings, list(h.Silent, 5)+" did not say which phones are registered")
		next = append(next, "hotcut edges")
	}
	switch {
	case h.Done():
		return warnings, next
	case !h.Kept:
		warnings = append(warnings, fmt.Sprintf("%s can not be brought to %s: keep is none on its targets", plural(h.Missing, "phone"), h.Platform))
	case h.Failed > 0:
		warnings = append(warnings, fmt.Sprintf("%s missing on %s, %d of them refused there", plural(h.Missing, "phone"), h.Platform, h.Failed))
	default:
		warnings = append(warnings, fmt.Sprintf("%s missing on %s", plural(h.Missing, "phone"), h.Platform))
	}
	return warnings, append(next, look)
}
