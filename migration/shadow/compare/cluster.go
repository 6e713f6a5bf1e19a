package compare

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// ClusterID names a cluster in few characters, the same on every edge: what a person types after `hotcut shadow triage`.
type ClusterID string

// Key is what the calls of a cluster have in common.
type Key struct {
	Scenario string `json:"scenario"`
	Field    string `json:"field"`
	Kind     string `json:"kind"`
	From     string `json:"from"`
	To       string `json:"to"`
}

// ID of the key: ten hexadecimal digits of its SHA-256.
func (k Key) ID() ClusterID {
	h := sha256.New()
	for _, part := range []string{k.Scenario, k.Field, k.Kind, k.From, k.To} {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return ClusterID(hex.EncodeToString(h.Sum(nil)[:5]))
}

// Key of a difference of a call of a scenario.
func (d *Difference) Key(scenario string) Key {
	return Key{Scenario: scenario, Field: clean(d.Field), Kind: clean(d.Kind), From: clean(d.From), To: clean(d.To)}
}

// Cluster is all calls of one tenant that differ in the same way.
type Cluster struct {
	Key
	Severity Severity          `json:"severity"`
	Words    string            `json:"words"`
	Count    uint64            `json:"count"`
	First    int64             `json:"first"` // unix ns of the first and last call
	Last     int64             `json:"last"`
	Builds   map[string]*Build `json:"builds"`  // per build of the dark core
	Samples  []Sample          `json:"samples"` // the 20 smallest ranks, in rising order
}

// Build is a cluster's, or a tenant's, calls on one build of the dark core.
type Build struct {
	Count uint64 `json:"count"`
	First int64  `json:"first"`
	Last  int64  `json:"last"`
}

// Sample points at one call of a cluster. Its rank is its token, an HMAC, so the smallest are a uniform choice that every
// edge makes alike.
type Sample struct {
	CallID string `json:"call_id"` // token
	At     int64  `json:"at"`      // unix ns
	Edge   string `json:"edge,omitempty"`
	Build  string `json:"build,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// State of a cluster's life.
type State string

// new -> triaged (bug, intended, noise) -> fixed in build N -> gone, verified by evidence -> reopened.
const (
	StateNew      State = "new"
	StateBug      State = "bug"
	StateIntended State = "intended" // a waiver: needs By, Reason and Until
	StateNoise    State = "noise"
	StateFixed    State = "fixed" // in Build, says a person
	StateGone     State = "gone"  // says the evidence
	StateReopened State = "reopened"
)

// Triage is what a person said of a cluster of a tenant. gone and reopened are never said: they follow from the counts.
type Triage struct {
	State  State  `json:"state"`
	Build  string `json:"build,omitempty"` // fixed: the first build without it
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`
	Until  int64  `json:"until,omitempty"` // unix ns; of a waiver
	At     int64  `json:"at"`              // unix ns
}

// Check refuses a triage that names too little: nobody waives without a name, a reason and a date.
func (t *Triage) Check() error {
	var lacks []string
	need := func(ok bool, what string) {
		if !ok {
			lacks = append(lacks, what)
		}
	}
	switch t.State {
	case StateNew, StateBug, StateNoise:
	case StateIntended:
		need(t.By != "", "who waives it")
		need(t.Reason != "", "a reason")
		need(t.Until > t.At, "a date in the future at which it ends")
	case StateFixed:
		need(t.Build != "", "the build that fixed it")
	default:
		return fmt.Errorf("state %.20q: one of new, bug, intended, noise, fixed", string(t.State))
	}
	if len(lacks) > 0 {
		return fmt.Errorf("%s needs %s", t.State, strings.Join(lacks, ", "))
	}
	if len(t.By) > maxTriageText || len(t.Reason) > maxTriageText || len(t.Build) > maxTriageText {
		return fmt.Errorf("who, reason and build have at most %d bytes each", maxTriageText)
	}
	return nil
}

const maxTriageText = 500 // bytes
