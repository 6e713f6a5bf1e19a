package policy

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// checkAssigned: only whole affinity groups are put on a platform.
func (t *Tenant) checkAssigned(f *faults) {
	users := slices.Sorted(maps.Keys(t.Assigned))
	for _, u := range users {
		field := entry("assigned", u)
		checkUser(f, "assigned", u, u)
		t.checkNotAlias(f, field, u)
		if p := t.Assigned[u]; p != Legacy && p != Core {
			f.add(field, p.String(), "is no platform", "write legacy or core")
		}
	}
	if len(t.Groups) == 0 {
		return
	}
	done := make(map[string]bool)
	for _, u := range users {
		g := t.Groups[u]
		if g == "" || done[g] {
			continue
		}
		done[g] = true
		for _, m := range t.members(g) {
			if t.Assigned[m] != t.Assigned[u] {
				f.add(entry("assigned", u), t.Assigned[u].String(), fmt.Sprintf("splits affinity group %s: %s stays behind", g, m),
					"assign all of it: "+strings.Join(t.members(g), ", "))
				break
			}
		}
	}
}

// members lists the users of an affinity group, sorted.
func (t *Tenant) members(group string) []string {
	var list []string
	for u, g := range t.Groups {
		if g == group {
			list = append(list, u)
		}
	}
	slices.Sort(list)
	return list
}

func (t *Tenant) checkRules(f *faults) {
	if len(t.Rules) > maxRules {
		f.add("rules", strconv.Itoa(len(t.Rules)), fmt.Sprintf("are more than %d", maxRules), "merge rules, or move the stage")
		return
	}
	for i := range t.Rules {
		t.checkRule(f, fmt.Sprintf("rules[%d]", i), &t.Rules[i])
	}
}

func (t *Tenant) checkRule(f *faults, field string, r *Rule) {
	if r.Direction > Internal {
		f.add(field+".direction", r.Direction.String(), "is unknown", "write outbound, inbound or internal, or leave it out")
	}
	if r.Method != "" && !validMethod(r.Method) {
		f.add(field+".method", r.Method, "is no SIP method", "write it as it stands in a request, such as INVITE")
	}
	if r.Called != "" {
		if _, _, err := parseE164(r.Called); err != nil {
			f.add(field+".called", r.Called, "is no number prefix", err.Error())
		}
	}
	if r.Platform != Legacy && r.Platform != Core {
		f.add(field+".platform", r.Platform.String(), "is no platform", "write legacy or core")
	}
	checkText(f, field+".comment", r.Comment)
	if r.Trunk != "" && t.findTrunk(r.Trunk) < 0 {
		f.add(field+".trunk", r.Trunk, "is no trunk of this tenant", "write the name of one of its trunks")
	}
	if r.Direction == AnyDirection && r.Method == "" && r.Called == "" && len(r.Users) == 0 && r.Group == "" && r.Trunk == "" {
		f.add(field, "", "matches everything", "name a direction, method, called prefix, users, group or trunk; for the whole tenant set stage or share")
	}
	switch {
	case r.Expires < 0:
		f.add(field+".expires", strconv.FormatInt(r.Expires, 10), "is before 1970", "write unix seconds, or 0 for never")
	case r.Expires > 0 && r.Platform == Legacy:
		f.add(field+".expires", strconv.FormatInt(r.Expires, 10), "would move users towards core when it passes, with nobody watching",
			"leave it out; remove the rule by hand")
	}
	t.checkRuleUsers(f, field, r)
}

func (t *Tenant) checkRuleUsers(f *faults, field string, r *Rule) {
	named := make(map[string]bool, len(r.Users))
	for j, u := range r.Users {
		at := index(field+".users", j)
		checkUser(f, field+".users", u, u)
		t.checkNotAlias(f, at, u)
		if named[u] {
			f.add(at, u, "stands twice", "keep one of them")
		}
		named[u] = true
	}
	if r.Group != "" && len(t.members(r.Group)) == 0 {
		f.add(field+".group", r.Group, "has no users", "write a group that users are in")
	}
	if len(t.Groups) == 0 {
		return
	}
	done := make(map[string]bool)
	for _, u := range r.Users {
		g := t.Groups[u]
		// Both set must both match: users of the group that the rule itself names are then the rule's whole slice,
		// and still leave the others of the group behind.
		if g == "" || done[g] {
			continue
		}
		done[g] = true
		members := t.members(g)
		for _, m := range members {
			if !named[m] {
				f.add(field+".users", u, fmt.Sprintf("splits affinity group %s: %s stays behind", g, m),
					fmt.Sprintf("name all of it (%s), or the group", strings.Join(members, ", ")))
				break
			}
		}
	}
}

// validMethod: a token (RFC 3261 section 25.1), in capitals as all methods are.
func validMethod(m string) bool {
	if len(m) > 32 {
		return false
	}
	for i := range len(m) {
		if c := m[i]; !(c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	return true
}
