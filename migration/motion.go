package migration

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/hotcut/hotcut/policy"
)

// movesOf says whom a change moves: every tenant that it touches, and, if it alters the globals, every other tenant
// that those move.
// policy.ErrNeedsWhole when what was read of the policy can not tell.
func movesOf(at Present, c *policy.Change) ([]Move, error) {
	before, after := at.Globals(), at.Globals()
	if c.Globals != nil && c.Globals.After != nil {
		after = *c.Globals.After
	}
	moves := make([]Move, 0, len(c.Tenants))
	motions := make(map[string]policy.Motion, len(c.Tenants))
	of, err := at.motions(c)
	if err != nil {
		return nil, err
	}
	for id, m := range of {
		motions[id] |= m
	}
	for _, tc := range c.Tenants {
		// A halt hides every move but the way out of it: what it hides is judged when it is written.
		if before.Halt == policy.HaltAllLegacy && advances(tc) {
			motions[tc.ID] |= policy.TowardsCore
		}
		moves = append(moves, Move{Tenant: tc.ID, From: Describe(tc.Before), To: Describe(tc.After), Motion: motions[tc.ID],
			Fields: Altered(tc.Before, tc.After)})
	}
	if before.Halt != after.Halt {
		moves = haltMoves(at.Snapshot, before, after, moves, motions)
	}
	if before.Default != after.Default && at.head().Rev > 0 {
		moves = append(moves, Move{Tenant: policy.AllTenants, From: before.Default, To: after.Default, Motion: motionOfDefault(after.Default)})
	}
	slices.SortFunc(moves, func(a, b Move) int { return cmp.Compare(a.Tenant, b.Tenant) })
	return moves, nil
}

// haltMoves adds the tenants that a change of the halt alone moves.
func haltMoves(s *policy.Snapshot, before, after policy.Globals, moves []Move, touched map[string]policy.Motion) []Move {
	for r := range s.All() {
		t := r.Tenant
		if _, ok := touched[t.ID]; ok {
			continue
		}
		if m := policy.MotionOf(t, t, before, after); m != policy.Still {
			moves = append(moves, Move{Tenant: t.ID, From: halted(t, before), To: halted(t, after), Motion: m})
		}
	}
	return moves
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
