package compare

import (
	"slices"

	"github.com/hotcut/hotcut/migration/shadow/record"
)

// Rules is the specification's table with the equal codes of record.DefaultEqual.
var Rules = NewRules(nil)

// NewRules is the specification's table, row by row, for a profile; nil: the default one.
func NewRules(p *record.Profile) []Rule {
	equal := record.DefaultEqual
	if p != nil && p.Equal != nil {
		equal = p.Equal
	}
	return slices.Concat(
		outcomeRules(equal),
		farRules,
		identityRules,
		sdpRules,
		setupRules,
		alertRules,
		registerRules,
		notifyRules,
		unexpectedRules,
	)
}
