package compare

import "github.com/hotcut/hotcut/migration/shadow/record"

// Compare returns what the rules find, in their order. It is pure.
func Compare(live, shadow *record.Call, rules []Rule) []Difference {
	var found []Difference
	for i := range rules {
		found = append(found, rules[i].find(live, shadow)...)
	}
	return found
}
