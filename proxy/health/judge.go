package health

import "time"

// Sign is what live traffic shows of a target.
type Sign uint8

// The signs.
const (
	Answered       Sign = iota // any response but 408 and 503
	TransportError             // refused, unreachable, TLS failed, connection died
	Timeout                    // no response in time
	Busy503                    // 503 without Retry-After; see Busy for one that has it
)

// The reasons why a target is out, or should be; each is a metric label.
const (
	MissedProbes = "missed_probes" // probes were not answered
	Unreachable  = "unreachable"   // transport errors
	Silent       = "silent"        // timeouts
	Busy503After = "busy"          // 503 with Retry-After
)

// Due returns the targets whose probe is due at now (Unix nanoseconds) and plans
// their next one. It also ends the time of busy ones. Its owner calls it a few
// times a second; the first probes are spread over a tenth of the interval.
func (t *Table) Due(now int64) []int {
	t.mu.Lock()
	defer t.mu.Unlock()
	var due []int
	for i := range t.targets {
		x := &t.targets[i]
		if x.busyUntil != 0 && x.busyUntil <= now {
			x.busyUntil = 0
			t.recovered(x)
			t.eject(x.pool, now)
		}
		if x.next == 0 {
			x.next = now + t.random.Int64N(int64(t.cfg.Interval)/10+1)
		}
		// A next far ahead: the clock was set back.
		if now < x.next && x.next <= now+2*int64(t.cfg.Interval) {
			continue
		}
		due = append(due, i)
		spread := t.cfg.Jitter * (2*t.random.Float64() - 1)
		x.next = now + int64(float64(t.cfg.Interval)*(1+spread))
	}
	return due
}

// Hit notes that a probe of i was answered by anything but 408 or 503.
func (t *Table) Hit(i int, now int64) {
	if !t.has(i) || t.targets[i].clean.Load() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	x := &t.targets[i]
	x.misses = 0
	if x.failing {
		if x.hits++; x.hits >= t.cfg.Up {
			x.failing = false
			t.recovered(x)
		}
	}
	t.eject(x.pool, now)
}

// Miss notes that a probe of i was not answered, or by 408 or 503.
func (t *Table) Miss(i int, now int64) { t.miss(i, now, MissedProbes) }

// Passive notes what a live request to i showed at now.
func (t *Table) Passive(i int, now int64, s Sign) {
	switch s {
	case Answered:
		t.Hit(i, now)
	case TransportError:
		t.miss(i, now, Unreachable)
	case Timeout:
		t.miss(i, now, Silent)
	case Busy503: // alive, but no hit: it would bring back a target that refuses all
	}
}

// Busy notes that i answered 503 with this Retry-After: it is out for that long,
// at most Config.MaxBusy, as far as half its pool is left.
func (t *Table) Busy(i int, now int64, retryAfter time.Duration) {
	if !t.has(i) || retryAfter <= 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	x := &t.targets[i]
	if !x.failing && x.busyUntil == 0 {
		x.verdict = now
		x.reason = Busy503After
	}
	x.busyUntil = max(x.busyUntil, now+int64(min(retryAfter, t.cfg.MaxBusy)))
	t.eject(x.pool, now)
}

func (t *Table) miss(i int, now int64, why string) {
	if !t.has(i) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	x := &t.targets[i]
	x.hits = 0
	x.misses = min(x.misses+1, t.cfg.Down)
	if x.misses == t.cfg.Down && !x.failing {
		if x.busyUntil == 0 {
			x.verdict = now
		}
		x.failing, x.reason = true, why
	}
	t.eject(x.pool, now)
}

// recovered clears the verdict of a target for which no cause is left.
func (t *Table) recovered(x *target) {
	x.hits = 0
	switch {
	case x.failing:
	case x.busyUntil != 0:
		x.reason = Busy503After
	default:
		x.reason, x.verdict = "", 0
	}
}
