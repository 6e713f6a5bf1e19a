package migration

import (
	"fmt"

	"github.com/hotcut/hotcut/policy"
)

// Halt stops the fleet: all-legacy serves everything that is not done on legacy, freeze lets nothing move towards core.
// Like a rollback it states what shall be and is retried until it holds.
func Halt(to policy.Halt, by Author) Goal {
	return func(at Present) (*Plan, error) {
		p := &Plan{Change: at.change(policy.KindHalt, by)}
		now := at.Globals()
		if now.Halt == to {
			p.Notes = append(p.Notes, fmt.Sprintf("the fleet is halted already: %s", to))
			return p.finish(at)
		}
		p.Change.Force = true
		after := now
		after.Halt = to
		p.Change.Globals = &policy.GlobalsChange{Before: &now, After: &after}
		if now.Halt == policy.HaltAllLegacy {
			// From all-legacy to freeze everybody goes back to core: that is a resume, and judged as one.
			p.Change.Force = false
			p.Change.Kind = policy.KindResume
		}
		return p.finish(at)
	}
}

// Resume lifts a halt. Whoever comes back to core by it meets the gates.
func Resume(by Author) Goal {
	return func(at Present) (*Plan, error) {
		p := &Plan{Change: at.change(policy.KindResume, by)}
		now := at.Globals()
		if now.Halt == policy.HaltNone || now.Halt == "" {
			p.Notes = append(p.Notes, "the fleet is not halted")
			return p.finish(at)
		}
		after := now
		after.Halt = policy.HaltNone
		p.Change.Globals = &policy.GlobalsChange{Before: &now, After: &after}
		return p.finish(at)
	}
}

// Hold puts a gate before every change of the tenants towards core. It moves nothing and stops no rollback.
func Hold(ids []string, by Author) Goal {
	return func(at Present) (*Plan, error) {
		p := &Plan{Change: at.change(policy.KindHold, by)}
		for _, id := range ids {
			t, err := at.Find(id)
			if err != nil {
				return nil, err
			}
			if t.Hold != nil {
				p.Notes = append(p.Notes, fmt.Sprintf("%s is held already by %s", id, t.Hold.By))
				continue
			}
			after := *t
			after.Hold = &policy.Hold{By: by.Actor, Reason: by.Reason, At: at.At.Unix()}
			p.put(id, t, &after)
		}
		return p.finish(at)
	}
}

// Release takes a hold away. That by itself moves nobody.
func Release(ids []string, by Author) Goal {
	return func(at Present) (*Plan, error) {
		p := &Plan{Change: at.change(policy.KindRelease, by)}
		for _, id := range ids {
			t, err := at.Find(id)
			if err != nil {
				return nil, err
			}
			if t.Hold == nil {
				p.Notes = append(p.Notes, id+" is not held")
				continue
			}
			after := *t
			after.Hold = nil
			p.put(id, t, &after)
		}
		return p.finish(at)
	}
}
