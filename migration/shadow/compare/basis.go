package compare

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Basis is what a count rests on. Who changes the rules, the profile, a waiver or a noise verdict starts a new count, by
// getting another ID; a new build does it by its name.
type Basis struct {
	ID     string
	Exempt map[ClusterID]bool // calls of these clusters leave the count
}

// NewBasis is the basis in force. profile identifies the profile's content. A waiver that has expired exempts nothing.
func NewBasis(rules []Rule, profile string, triage map[ClusterID]Triage, now time.Time) Basis {
	return newBasis(Version(rules), profile, triage, now)
}

func newBasis(version, profile string, triage map[ClusterID]Triage, now time.Time) Basis {
	b := Basis{Exempt: make(map[ClusterID]bool)}
	for id, t := range triage {
		if t.exempts(now) {
			b.Exempt[id] = true
		}
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s %d:%s", version, len(profile), profile)
	for _, id := range slices.Sorted(maps.Keys(b.Exempt)) {
		fmt.Fprintf(h, " %d:%s", len(id), id)
	}
	b.ID = hex.EncodeToString(h.Sum(nil)[:5])
	return b
}

// exempts: a waiver in date, or noise.
func (t *Triage) exempts(now time.Time) bool {
	return t.State == StateNoise || t.State == StateIntended && now.UnixNano() < t.Until
}

// SetBasis puts the basis of a tenant in force for the calls that are added from now on. Before, it is that of no triage.
func (t *Tally) SetBasis(tenant string, b Basis) {
	if _, known := t.bases[tenant]; known || len(t.bases) < maxTenants {
		t.bases[tenant] = b
	}
}

func (t *Tally) basis(v *Verdict) Basis {
	if b, ok := t.bases[v.Tenant]; ok {
		return b
	}
	return newBasis(t.version, v.Profile, nil, time.Time{})
}

// Version names a table of rules: it changes when a rule is added or removed or judges otherwise.
func Version(rules []Rule) string {
	h := sha256.New()
	for i := range rules {
		fmt.Fprintf(h, "%q %q %d %d\n", rules[i].Name, rules[i].Field, rules[i].Severity, rules[i].Revision)
	}
	return hex.EncodeToString(h.Sum(nil)[:5])
}
