package health

// State is one target for people to read.
type State struct {
	Target
	Up     bool   // it takes calls
	Reason string // why not, or why it should not but half its pool is out already; empty: it is well
	Since  int64  // when Up last changed, Unix nanoseconds; 0: never
	Misses int    // in a row
}

// Snapshot returns the state of every target, in the order of New.
func (t *Table) Snapshot() []State {
	t.mu.Lock()
	defer t.mu.Unlock()
	states := make([]State, len(t.targets))
	for i := range t.targets {
		x := &t.targets[i]
		states[i] = State{Target: x.Target, Up: !x.out.Load(), Reason: x.reason, Since: x.since, Misses: x.misses}
	}
	return states
}

// AllOut says that there is no target but such as fail or asked for a rest: whatever comes next would be refused too. It
// takes the lock: it is for refusals, not for the hot path.
func (t *Table) AllOut() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.targets {
		if x := &t.targets[i]; !x.failing && x.busyUntil == 0 {
			return false
		}
	}
	return len(t.targets) > 0
}
