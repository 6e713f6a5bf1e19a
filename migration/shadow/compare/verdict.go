package compare

import (
	"strings"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/record"
)

// Verdict is what came of one mirrored call. Judge makes it from two records; whoever mirrors adds what it knows.
type Verdict struct {
	Tenant  string `json:"tenant"`
	Profile string `json:"profile,omitempty"`
	Build   string `json:"build"` // of the dark core
	Edge    string `json:"edge,omitempty"`
	Rev     uint64 `json:"rev,omitempty"`

	Scenario string `json:"scenario"`
	CallID   string `json:"call_id"`        // token of the live call's Call-ID
	Pair     string `json:"pair,omitempty"` // token of who called whom: a redial within 5 minutes is the same observation
	At       int64  `json:"at"`             // unix ns of the live request

	Emergency   bool         `json:"emergency,omitempty"`
	Missing     string       `json:"missing,omitempty"` // why there was nothing to compare; then there are no differences
	Differences []Difference `json:"differences,omitempty"`
	Times       []Time       `json:"times,omitempty"`
	Live        *record.Call `json:"live,omitempty"`
	Shadow      *record.Call `json:"shadow,omitempty"`
}

// Time is one duration of both sides, in the dark core's without what the twin waited.
type Time struct {
	Name   string        `json:"name"` // "first answer", "ring", "answer"
	Live   time.Duration `json:"live"`
	Shadow time.Duration `json:"shadow"`
}

// Worst is the severity of the call: of its worst difference.
func (v *Verdict) Worst() Severity {
	worst := None
	for i := range v.Differences {
		worst = max(worst, v.Differences[i].Severity)
	}
	return worst
}

const invite = "INVITE"

// method of the first request, as far as anything tells it.
func (v *Verdict) method() string {
	for _, c := range []*record.Call{v.Live, v.Shadow} {
		if c != nil && c.Method != "" {
			return c.Method
		}
	}
	for _, m := range []string{"REGISTER", "SUBSCRIBE", "OPTIONS"} {
		if strings.HasPrefix(v.Scenario, strings.ToLower(m)) {
			return m
		}
	}
	return invite
}
