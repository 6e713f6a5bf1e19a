package compare

import (
	"slices"
	"strconv"
	"strings"

	"github.com/hotcut/hotcut/migration/shadow/record"
)

// Row "REGISTER".
var registerRules = []Rule{
	{Name: "registration", Field: "register.code", Severity: Major, Words: "phones register otherwise", find: perRegister(registerCode)},
	{Name: "expiry", Field: "register.expires", Severity: Major, Words: "phones register at another pace", find: perRegister(registerExpires)},
	{Name: "contacts", Field: "register.contacts", Severity: Major, Words: "other phones are registered", find: perRegister(registerContacts)},
	{Name: "service route", Field: "register.service_route", Severity: Major, Words: "phones are told another way for their calls", find: perRegister(serviceRoute)},
	{Name: "realm", Field: "register.realm", Severity: Critical, Words: "passwords no longer fit: the realm is another one", find: perRegister(realm), challenge: true},
	{Name: "algorithm", Field: "register.algorithm", Severity: Major, Words: "phones are asked for another kind of password proof", find: perRegister(algorithm), challenge: true},
}

func perRegister(f func(l, s *record.Register, trusted bool) []Difference) func(live, shadow *record.Call) []Difference {
	return func(live, shadow *record.Call) []Difference {
		if live.Register == nil || shadow.Register == nil {
			return nil
		}
		return f(live.Register, shadow.Register, noted(shadow, record.NoteStripped))
	}
}

func registered(r *record.Register) bool { return r.Code >= 200 && r.Code < 300 }

func asked(r *record.Register) bool { return r.Code == 401 || r.Code == 407 }

func registerCode(l, s *record.Register, trusted bool) []Difference {
	if l.Code == s.Code || registered(l) && registered(s) {
		return nil
	}
	if trusted && asked(l) {
		return nil // a core that trusts the edge asks nobody
	}
	d := Difference{From: strconv.Itoa(l.Code), To: strconv.Itoa(s.Code)}
	switch {
	case registered(l) && !asked(s):
		d.Words = "phones can not register: nothing rings"
	case registered(l):
		d.Words = "phones are asked for a password again"
	case registered(s):
		d.Words = "phones register that legacy refuses"
	}
	return []Difference{d}
}

func registerExpires(l, s *record.Register, _ bool) []Difference {
	if !registered(l) || !registered(s) || within10Percent(l.Expires, s.Expires) {
		return nil
	}
	d := Difference{Kind: Later, From: strconv.Itoa(l.Expires) + " s", To: strconv.Itoa(s.Expires) + " s", Words: "phones register less often: a phone that is gone is noticed later"}
	switch {
	case s.Expires == 0:
		d.Kind, d.Words = Lost, "phones are signed off that legacy keeps registered"
	case l.Expires == 0:
		d.Kind, d.Words = Added, "phones stay registered that legacy signs off"
	case s.Expires < l.Expires:
		d.Kind, d.Words = Earlier, "phones register more often: more load"
	}
	return []Difference{d}
}

func registerContacts(l, s *record.Register, _ bool) []Difference {
	if !registered(l) || !registered(s) {
		return nil
	}
	lost, added := apart(text(l.Contacts), text(s.Contacts))
	var ds []Difference
	if len(lost) > 0 {
		ds = append(ds, Difference{Kind: Lost, From: howMany(len(lost)), Words: "phones of a user are missing: they will not ring", Detail: some(lost)})
	}
	if len(added) > 0 {
		ds = append(ds, Difference{Kind: Added, To: howMany(len(added)), Words: "phones ring for a user that do not on legacy", Detail: some(added)})
	}
	return ds
}

func serviceRoute(l, s *record.Register, _ bool) []Difference {
	if !registered(l) || !registered(s) || slices.Equal(l.ServiceRoute, s.ServiceRoute) {
		return nil
	}
	d := Difference{From: howMany(len(l.ServiceRoute)), To: howMany(len(s.ServiceRoute)), Detail: strings.Join(l.ServiceRoute, " ") + ", core " + strings.Join(s.ServiceRoute, " ")}
	switch {
	case len(s.ServiceRoute) == 0:
		d.Kind = Lost
	case len(l.ServiceRoute) == 0:
		d.Kind = Added
	}
	return []Difference{d}
}

// challenges are compared where both ask: under trust nobody does, and that is said by the note.
func realm(l, s *record.Register, trusted bool) []Difference {
	of := func(r *record.Register) []string {
		var realms []string
		for _, c := range r.Challenges {
			realms = append(realms, c.Realm)
		}
		return realms
	}
	a, b := of(l), of(s)
	if trusted || len(a) == 0 || len(b) == 0 {
		return nil
	}
	lost, added := apart(a, b)
	if len(lost) == 0 && len(added) == 0 {
		return nil
	}
	return []Difference{{From: some(lost), To: some(added)}}
}

func algorithm(l, s *record.Register, trusted bool) []Difference {
	of := func(r *record.Register) []string {
		var algorithms []string
		for _, c := range r.Challenges {
			algorithms = append(algorithms, c.Algorithm)
		}
		return algorithms
	}
	a, b := of(l), of(s)
	if trusted || len(a) == 0 || len(b) == 0 {
		return nil
	}
	return sets(a, b, "a kind of password proof is no longer accepted: older phones can not register", "phones are offered another kind of password proof")
}
