package policy

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// Finding is something that is allowed and probably not meant.
type Finding struct {
	Tenant  string `json:"tenant,omitempty"` // "": the globals
	Other   string `json:"other,omitempty"`
	Field   string `json:"field"`
	Value   string `json:"value,omitempty"`
	Problem string `json:"problem"`
	Fix     string `json:"fix,omitempty"`
}

// String is one line, as a Fault's.
func (f Finding) String() string { return Fault(f).String() }

// Lint lists what is allowed and probably not meant, as of the present time, by tenant.
func (s *Snapshot) Lint() []Finding { return s.LintAt(time.Now().Unix()) }

// LintAt is Lint as of now, in unix seconds.
func (s *Snapshot) LintAt(now int64) []Finding {
	l := &linter{s: s, now: now}
	for r := range s.All() {
		l.tenant(r)
	}
	for _, r := range s.RunTests(now) {
		if !r.OK {
			l.add("", "", fmt.Sprintf("tests[%d]", r.Index), r.Test.Name, "fails: "+r.Problem, "change the test or the policy")
		}
		if t := r.Test.Tenant; t != "" && s.Tenant(t) == nil {
			l.add("", "", fmt.Sprintf("tests[%d].tenant", r.Index), t, "names a tenant that does not exist", "remove the test")
		}
	}
	return l.list
}

type linter struct {
	s    *Snapshot
	now  int64
	list []Finding
}

func (l *linter) add(tenant, other, field, value, problem, fix string) {
	l.list = append(l.list, Finding{tenant, other, field, value, problem, fix})
}

func (l *linter) tenant(r *Record) {
	t := r.Tenant
	if len(t.Domains)+len(t.Numbers)+len(t.Trunks) == 0 {
		l.add(t.ID, "", "domains", "", "the tenant has neither domain, number nor trunk: no call is ever its", "add one, or remove the tenant")
	} else if len(t.Domains) == 0 {
		l.add(t.ID, "", "domains", "", "the tenant has no domain: its phones can not register as its own", "add its SIP domain")
	}
	l.claims(r)
	l.trunks(r)
	l.rules(t)
	l.users(t)
	l.phase(t)
	if t.RolledBack && t.Stage >= StageCanary {
		l.add(t.ID, "", "rolled_back", "", "the tenant was taken back; its stage "+t.Stage.String()+" has no effect", "flip it again, or set the stage to what is true")
	}
	if t.Stage == StageCanary && t.Share == 0 && len(t.Assigned) == 0 && len(t.Rules) == 0 {
		l.add(t.ID, "", "share", "", "canary with nobody in it", "set a share or assign test phones")
	}
	if t.Stage != StageCanary && t.Share != 0 {
		l.add(t.ID, "", "share", FormatShare(t.Share), "has no effect in stage "+t.Stage.String(), "set it to 0")
	}
	if (t.Stage == StageShadow || t.Stage == StageCanary) && t.Mirror == 0 {
		l.add(t.ID, "", "mirror", "", "stage "+t.Stage.String()+" with no call mirrored: no evidence grows", "set mirror")
	}
	if t.Area == "" && t.Country == "1" && len(t.Numbers) > 0 && t.Stage != StageLegacy {
		l.add(t.ID, "", "area", "", "seven-digit calls are taken for extensions", "set area if its users dial seven digits")
	}
	if e := t.Emergency; e != nil && len(e.Users) > 0 && !slices.ContainsFunc(e.Users, isURN) {
		l.add(t.ID, "", "emergency.users", "", "no urn:service:sos in the tenant's own list: phones that dial it are not recognised", "add urn:service:sos*")
	}
}

// claims: the innermost wins, which surprises whoever reads only one of the two records.
func (l *linter) claims(r *Record) {
	for i, c := range r.claims {
		seen := make(map[string]bool)
		l.s.enclosing(c, func(h *heldClaim) {
			if h.id == r.Tenant.ID || seen[h.id] {
				return
			}
			seen[h.id] = true
			l.add(r.Tenant.ID, h.id, fmt.Sprintf("numbers[%d]", i), r.Tenant.Numbers[i],
				fmt.Sprintf("lies inside %s of tenant %s and takes these numbers from it", h.claim, h.id), "intended for a number that was ported; else remove one")
		})
	}
}

// enclosing visits the claims that hold c, or, at the length of a range, a part of which c is. c's own may be among
// them.
func (s *Snapshot) enclosing(c claim, visit func(*heldClaim)) {
	at := func(number uint64, n uint8) {
		s.numbers.walk(digitsOf(number, n), func(h *heldClaim) {
			if lo, hi, ok := h.at(n); ok {
				if cl, ch, ok := c.at(n); ok && lo <= cl && ch <= hi && (lo != cl || hi != ch) {
					visit(h)
				}
			}
		})
	}
	at(c.lo, c.digits)
	if !c.prefix {
		return
	}
	for n := c.digits + 1; n <= maxDigits; n++ { // a range around a prefix stands deeper in the trie than it
		if s.numbers.ranges[n] > 0 {
			lo, _, _ := c.at(n)
			at(lo, n)
		}
	}
}

func (l *linter) trunks(r *Record) {
	for i, k := range r.Tenant.Trunks {
		seen := map[string]bool{r.Tenant.ID: true}
		l.s.trunks.around(r.nets[i], func(id string) {
			if !seen[id] {
				seen[id] = true
				l.add(r.Tenant.ID, id, fmt.Sprintf("trunks[%d].source", i), k.Source, "lies inside a trunk source of tenant "+id, "intended for a PBX in the other's network; else remove one")
			}
		})
		if k.Egress == "" && r.Tenant.Stage != StageLegacy {
			l.add(r.Tenant.ID, "", fmt.Sprintf("trunks[%d].egress", i), k.Name, "has no egress: the platforms can not tell its calls by source", "name the inside listener that its calls leave by")
		}
	}
}

func (l *linter) rules(t *Tenant) {
	for i, r := range t.Rules {
		field := fmt.Sprintf("rules[%d]", i)
		if r.Expires != 0 && r.Expires <= l.now {
			l.add(t.ID, "", field+".expires", strconv.FormatInt(r.Expires, 10), "has passed: the rule does nothing", "remove the rule")
		}
		for j, earlier := range t.Rules[:i] {
			if earlier.Expires == 0 && earlier.covers(&r) {
				l.add(t.ID, "", field, r.Comment, fmt.Sprintf("never matches: rule %d takes all of it", j+1), "move it up or remove it")
				break
			}
		}
	}
}

// covers reports whether whatever r matches, e matches too: each field of e is unset or no narrower than r's.
func (e *Rule) covers(r *Rule) bool {
	prefix := len(r.Called) >= len(e.Called) && r.Called[:len(e.Called)] == e.Called
	users := len(e.Users) == 0 || len(r.Users) > 0 && !lacks(e.Users, r.Users)
	// A rule without users does not match REGISTER; one with users does, if nothing else keeps it from it.
	register := len(e.Users) > 0 || e.Group != "" || len(r.Users) == 0 && r.Group == ""
	return (e.Direction == AnyDirection || e.Direction == r.Direction) && (e.Method == "" || e.Method == r.Method) &&
		(e.Group == "" || e.Group == r.Group) && (e.Trunk == "" || e.Trunk == r.Trunk) && prefix && users && register
}

func (l *linter) users(t *Tenant) {
	sizes := make(map[string]int)
	for _, g := range t.Groups {
		sizes[g]++
	}
	for _, g := range slices.Sorted(maps.Keys(sizes)) {
		if sizes[g] == 1 {
			l.add(t.ID, "", "groups", g, "an affinity group of one", "add who moves with him, or remove it")
		}
	}
	if t.Stage == StageCanary && len(t.Users) == 0 && len(t.Numbers) > 0 {
		l.add(t.ID, "", "users", "", "canary without a users map: a call to a number and one by its user may go to different platforms", "map numbers to users")
	}
}
