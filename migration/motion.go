package migration

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/hotcut/hotcut/policy"
)

// movesOf says whom a change moves: every tenant that it touches, and, if it alters the globals, every other tenant
// that those move.
func movesOf(s *policy.Snapshot, c *policy.Change) []Move {
	before, after := s.Globals(), s.Globals()
	if c.Globals != nil && c.Globals.After != nil {
		after = *c.Globals.After
	}
	moves := make([]Move, 0, len(c.Tenants))
	touched := make(map[string]bool, len(c.Tenants))
	for _, tc := range c.Tenants {
		touched[tc.ID] = true
		moves = append(moves, Move{
			Tenant: tc.ID,
			From:   Describe(tc.Before),
			To:     Describe(tc.After),
			Motion: motion(tc.Before, tc.After, before, after),
		})
	}
	if before.Halt != after.Halt {
		for r := range s.All() {
			if t := r.Tenant; !touched[t.ID] {
				if m := policy.MotionOf(t, t, before, after); m != policy.Still {
					moves = append(moves, Move{Tenant: t.ID, From: halted(t, before), To: halted(t, after), Motion: m})
				}
			}
		}
	}
	if before.Default != after.Default {
		moves = append(moves, Move{Tenant: "*", From: before.Default, To: after.Default, Motion: motionOfDefault(after.Default)})
	}
	slices.SortFunc(moves, func(a, b Move) int { return cmp.Compare(a.Tenant, b.Tenant) })
	return moves
}

// motion judges under the globals in force and with the halt lifted, and takes both: see the package comment.
func motion(before, after *policy.Tenant, gb, ga policy.Globals) policy.Motion {
	now := policy.MotionOf(before, after, gb, ga)
	gb.Halt, ga.Halt = policy.HaltNone, policy.HaltNone
	return join(now, policy.MotionOf(before, after, gb, ga))
}

func join(a, b policy.Motion) policy.Motion {
	switch {
	case a == b || b == policy.Still:
		return a
	case a == policy.Still:
		return b
	}
	return policy.Both
}

// motionOfDefault judges where tenants that the policy does not know go. To drop them is gated like a move to core:
// it is no way back.
func motionOfDefault(to string) policy.Motion {
	if to == "legacy" {
		return policy.TowardsLegacy
	}
	return policy.TowardsCore
}

func halted(t *policy.Tenant, g policy.Globals) string {
	if g.Halt == policy.HaltAllLegacy && t.Stage != policy.StageDone {
		return "legacy, halted"
	}
	return Describe(t)
}

func decimal(n int) string { return strconv.Itoa(n) }
