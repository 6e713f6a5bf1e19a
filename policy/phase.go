package policy

import "strconv"

// PhaseName says why a tenant's phones register more often than they would: because it is about to move, or has moved.
type PhaseName string

const (
	PhaseArmed   PhaseName = "armed"   // about to move: what its phones ask of legacy is raised, so that a way back outlives the flip
	PhaseSoaking PhaseName = "soaking" // has moved: watched closely
)

// Phase is a time in which what a tenant's phones are told of their registrations is short-lived, so that they come by
// often: the clamp. It moves nobody.
type Phase struct {
	Name  PhaseName `json:"name"`
	Until int64     `json:"until"` // unix seconds; from then on the phase is as if it were not there
}

// at reports whether the phase is of that name, or of any (""), at now in unix seconds.
func (p *Phase) at(name PhaseName, now int64) bool {
	return p != nil && now < p.Until && (name == "" || p.Name == name)
}

// Clamped reports whether registrations of this tenant are told to be short-lived at now, in unix seconds: in canary, and
// while it is armed or soaking.
func (r *Record) Clamped(now int64) bool {
	return r.Tenant.Stage == StageCanary || r.Tenant.Phase.at("", now)
}

// Armed reports whether the tenant is about to move, at now in unix seconds.
func (r *Record) Armed(now int64) bool { return r.Tenant.Phase.at(PhaseArmed, now) }

func (t *Tenant) checkPhase(f *faults) {
	p := t.Phase
	if p == nil {
		return
	}
	if p.Name != PhaseArmed && p.Name != PhaseSoaking {
		checkText(f, "phase.name", string(p.Name))
		f.add("phase.name", string(p.Name), "is no phase", "write armed or soaking, or leave phase out")
	}
	if p.Until <= 0 {
		f.add("phase.until", strconv.FormatInt(p.Until, 10), "is no time", "write when the phase ends, in unix seconds")
	}
}

// longPhase is how far ahead an end is probably a mistake, in seconds: a clamp multiplies the REGISTERs of its phones.
const longPhase = 7 * 86400

func (l *linter) phase(t *Tenant) {
	p := t.Phase
	if p == nil {
		return
	}
	until := strconv.FormatInt(p.Until, 10)
	switch {
	case p.Until <= l.now && p.Name == PhaseSoaking: // settled, as every tenant that was moved
	case p.Until <= l.now:
		l.add(t.ID, "", "phase.until", until, "has passed: the tenant was armed and not moved", "arm it again before it is moved, or remove the phase")
	case p.Until > l.now+longPhase:
		l.add(t.ID, "", "phase.until", until, "is more than a week ahead: all that time its phones register every two minutes", "end it earlier")
	case t.Stage == StageDone:
		l.add(t.ID, "", "phase.name", string(p.Name), "its phones register every two minutes for a way back that has ended", "remove the phase")
	case p.Name == PhaseArmed && t.Stage == StageCore && !t.RolledBack:
		l.add(t.ID, "", "phase.name", string(p.Name), "the tenant is on core already", "remove the phase")
	}
}
