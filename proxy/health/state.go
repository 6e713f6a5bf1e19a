package health

import "time"

// State is one target for people to read.
type State struct {
	Target
	Up     bool      // it takes calls
	Reason Reason    // why not, or why it should not but half its pool is out already
	Since  time.Time // when Up last changed; zero: never
	Misses int       // in a row
}

// Snapshot returns the state of every target, in the order of New.
func (t *Table) Snapshot() []State {
	t.mu.Lock()
	defer t.mu.Unlock()
	states := make([]State, len(t.targets))
	for i := range t.targets {
		x := &t.targets[i]
		states[i] = State{Target: x.Target, Up: !x.out.Load(), Reason: x.reason, Misses: x.misses}
		if x.since != 0 {
			states[i].Since = time.Unix(0, x.since)
		}
	}
	return states
}
