package admin

import (
	"context"
	"net/http"
	"time"
)

// DoctorRequest says what an edge shall probe on its targets. Empty fields mean all.
type DoctorRequest struct {
	Tenant   string `json:"tenant,omitempty"`
	User     string `json:"user,omitempty"` // user@domain of an address-of-record to test with
	Platform string `json:"platform,omitempty"`
	Target   string `json:"target,omitempty"`
	Write    bool   `json:"write,omitempty"` // a test contact may be registered, and is taken away again
}

// DoctorReport is what the probes of one edge found.
type DoctorReport struct {
	Edge       string               `json:"edge"`
	At         int64                `json:"at"` // unix milliseconds
	Findings   []DoctorFinding      `json:"findings"`
	Challenges map[string]Challenge `json:"challenges"` // by platform: what a REGISTER meets there
}

// Challenge is what a platform asks of a phone that registers (RFC 3261 section 22).
type Challenge struct {
	Realms     []string `json:"realms"`
	Algorithms []string `json:"algorithms"`
	QOP        []string `json:"qop"`
}

// DoctorFinding is the outcome of one check.
type DoctorFinding struct {
	Check    string `json:"check"` // challenge, names, trust, trust_negative, digest, path, contact, two_call_ids, lists_all, compare
	Platform string `json:"platform,omitempty"`
	Target   string `json:"target,omitempty"`
	Level    string `json:"level"` // LevelOK, ...
	Detail   string `json:"detail,omitempty"`
	Fix      string `json:"fix,omitempty"`
}

// Levels of a DoctorFinding.
const (
	LevelOK   = "ok"
	LevelWarn = "warn"
	LevelFail = "fail"
	LevelSkip = "skip" // it was not checked: Detail says why
)

// DoctorTime is how long an edge may probe: its targets are asked one thing after another, and one that is silent
// costs a transaction's time-out each.
const DoctorTime = 2 * time.Minute

// Doctor makes the edge probe its targets. It takes as long as they do, at most DoctorTime.
func (c *Client) Doctor(ctx context.Context, q DoctorRequest) (DoctorReport, error) {
	return post[DoctorReport](ctx, c, "/v1/doctor", q)
}

func (b *Backend) doctor(w http.ResponseWriter, r *http.Request) (any, error) {
	if b.Doctor == nil {
		return nil, errNotServed
	}
	var q DoctorRequest
	if err := body(r, &q); err != nil {
		return nil, err
	}
	switch q.Platform {
	case "", "legacy", "core":
	default:
		return nil, badRequest("platform must be legacy or core, or be left out for both")
	}
	// The deadlines of the connection are those of quick answers; while they stand, a read that times out ends ctx.
	ctl, until := http.NewResponseController(w), time.Now().Add(DoctorTime+writeTime)
	if err := ctl.SetReadDeadline(until); err != nil {
		return nil, err
	}
	if err := ctl.SetWriteDeadline(until); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), DoctorTime)
	defer cancel()
	d, err := b.Doctor(ctx, q)
	d.Findings = list(d.Findings)
	if d.Challenges == nil {
		d.Challenges = map[string]Challenge{}
	}
	for p, c := range d.Challenges {
		d.Challenges[p] = Challenge{list(c.Realms), list(c.Algorithms), list(c.QOP)}
	}
	return d, err
}
