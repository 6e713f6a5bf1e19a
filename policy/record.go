package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
)

// Record is a tenant as the edge uses it: compiled once, then only read.
type Record struct {
	Tenant *Tenant // never changed

	hash      [32]byte // of the canonical JSON
	size      int      // bytes of the canonical JSON
	salt      [16]byte
	claims    []claim // parallel to Tenant.Numbers
	nets      []netip.Prefix
	plan      dialPlan
	rules     []compiledRule
	known     map[string]struct{} // users that the record names, nil when it names none
	emergency []string            // user parts and URN patterns, lower case
	sos       Platform            // who takes emergency calls
}

// compiledRule is a Rule with its users as a set.
type compiledRule struct {
	Rule
	users map[string]struct{} // nil: the rule names no users
}

// defaultEmergency are the emergency user parts and URNs of a tenant that lists none of its own.
var defaultEmergency = []string{"112", "911", "999", "933", "urn:service:sos*"}

// compile validates one tenant by itself and prepares it for look-ups. t is kept, not copied. canonical may be nil.
func compile(t *Tenant, canonical []byte) (*Record, []Fault) {
	list := t.check()
	if canonical == nil {
		var err error
		if canonical, err = t.Canonical(); err != nil {
			list = append(list, recordFault(t, err))
		}
	} else if len(canonical) > MaxRecord {
		list = append(list, recordFault(t, errTooLarge(len(canonical))))
	}
	if len(list) > 0 {
		return nil, list
	}
	r := &Record{
		Tenant: t, hash: sha256.Sum256(canonical), size: len(canonical),
		plan: dialPlan{country: t.Country, area: t.Area, outside: t.Outside},
		sos:  Legacy, emergency: defaultEmergency,
	}
	hex.Decode(r.salt[:], []byte(t.Salt)) // checked above
	if len(t.Numbers) > 0 {
		r.claims = make([]claim, len(t.Numbers))
		for i, n := range t.Numbers {
			r.claims[i], _ = parseClaim(n) // checked above
		}
	}
	for i := range t.Trunks {
		r.nets = append(r.nets, netip.MustParsePrefix(t.Trunks[i].Source)) // checked above
	}
	r.compileUsers()
	if e := t.Emergency; e != nil {
		if len(e.Users) > 0 {
			r.emergency = make([]string, len(e.Users))
			for i, u := range e.Users {
				r.emergency[i] = strings.ToLower(u)
			}
		}
		if e.Platform == Core && e.Certified != nil {
			r.sos = Core
		}
	}
	return r, nil
}

func (r *Record) compileUsers() {
	t := r.Tenant
	if len(t.Users)+len(t.Groups)+len(t.Assigned) > 0 {
		r.known = make(map[string]struct{}, len(t.Users)+len(t.Groups))
		for _, u := range t.Users {
			r.known[u] = struct{}{}
		}
		for u := range t.Groups {
			r.known[u] = struct{}{}
		}
		for u := range t.Assigned {
			r.known[u] = struct{}{}
		}
	}
	for _, rule := range t.Rules {
		c := compiledRule{Rule: rule}
		if len(rule.Users) > 0 {
			c.users = make(map[string]struct{}, len(rule.Users))
			for _, u := range rule.Users {
				c.users[u] = struct{}{}
			}
		}
		r.rules = append(r.rules, c)
	}
}

// Hash is SHA-256 of the record's canonical JSON: equal hashes are equal records.
func (r *Record) Hash() [32]byte { return r.hash }

// Bucket places a unit of this tenant in [0, FullShare), by its affinity group if it has one.
func (r *Record) Bucket(unit string) int {
	if g, ok := r.Tenant.Groups[unit]; ok {
		return bucketOf(&r.salt, 'g', g)
	}
	return bucketOf(&r.salt, 'u', unit)
}

// Group returns the affinity group of a unit, "" if it has none.
func (r *Record) Group(unit string) string { return r.Tenant.Groups[unit] }

// Unit returns the user behind a number or alias. A number is E.164 with +. A tenant without a users map is its own:
// its numbers and users stand for themselves. With a map, a number that it does not mention, and that names no user
// of the record, is nobody's: "".
func (r *Record) Unit(number string) string {
	if u, ok := r.Tenant.Users[number]; ok {
		return u
	}
	if len(number) > maxUnit {
		return ""
	}
	if len(r.Tenant.Users) == 0 || !strings.HasPrefix(number, "+") {
		return number
	}
	if _, ok := r.known[number]; ok {
		return number
	}
	return ""
}

// IsEmergency reports whether a user part or URN, as dialled or normalised, asks for the emergency services: one of
// the tenant's (or default) emergency users, also behind the outside prefix or the tenant's own country code.
// r may be nil: then the defaults hold.
func (r *Record) IsEmergency(user string) bool {
	if user == "" || len(user) > 128 {
		return false
	}
	list, plan := defaultEmergency, dialPlan{}
	if r != nil {
		list, plan = r.emergency, r.plan
	}
	if isURN(user) {
		return slices.ContainsFunc(list, func(p string) bool { return matchURN(p, user) })
	}
	var buf [24]byte
	d := appendDialled(buf[:0], user)
	if len(d) == 0 {
		return false
	}
	if in(list, d) {
		return true
	}
	if d[0] == '+' {
		rest, ok := strings.CutPrefix(string(d[1:]), plan.country)
		return ok && plan.country != "" && in(list, []byte(rest))
	}
	return plan.outside != "" && len(d) > len(plan.outside) && string(d[:len(plan.outside)]) == plan.outside &&
		in(list, d[len(plan.outside):])
}

func in(list []string, d []byte) bool {
	for _, s := range list {
		if s == string(d) {
			return true
		}
	}
	return false
}

func isURN(s string) bool { return len(s) > 4 && strings.EqualFold(s[:4], "urn:") }

// matchURN compares without case (URN namespaces and service labels have none); a trailing * stands for any rest.
func matchURN(pattern, urn string) bool {
	if p, ok := strings.CutSuffix(pattern, "*"); ok {
		return len(urn) >= len(p) && isURN(p) && strings.EqualFold(urn[:len(p)], p)
	}
	return strings.EqualFold(pattern, urn)
}

// findTrunk returns the index of a trunk by name, -1 if there is none.
func (t *Tenant) findTrunk(name string) int {
	return slices.IndexFunc(t.Trunks, func(k Trunk) bool { return k.Name == name })
}
