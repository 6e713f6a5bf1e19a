package compare

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// MaxTenantBytes bounds the JSON of one tenant of one edge.
const MaxTenantBytes = 8 << 20

// DecodeTenant reads the counts of a tenant that some edge wrote. What is not a table of ours is refused: a reader sums
// them, and a sum is no place to find damage.
func DecodeTenant(b []byte) (*Tenant, error) {
	if len(b) > MaxTenantBytes {
		return nil, fmt.Errorf("%d bytes, at most %d", len(b), MaxTenantBytes)
	}
	c := new(Tenant)
	if err := json.Unmarshal(b, c); err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return c, nil
}

var errNoTable = errors.New("a table has an empty entry or more entries than any edge writes")

func (c *Tenant) check() error {
	ok := whole(c.Methods, maxReasons) && whole(c.Counts, maxCounts) && whole(c.Builds, maxBuilds) &&
		whole(c.Scenarios, maxOfTenant) && whole(c.Clusters, maxOfTenant) && whole(c.Variation, maxVariation) &&
		whole(c.Times, maxTimes) && len(c.Missing) <= maxReasons && len(c.Dropped) <= maxReasons && len(c.Overflow) <= maxReasons
	if !ok {
		return errNoTable
	}
	for key, n := range c.Counts {
		if key != CountKey(n.Build, n.Basis) || !whole(n.By, maxOfTenant) || len(n.Outcomes) > maxReasons || len(n.Missing) > maxReasons || len(n.Hours) > 168 {
			return errNoTable
		}
	}
	for id, cl := range c.Clusters {
		if id != cl.ID() {
			return fmt.Errorf("cluster %.20q is %s", string(id), cl.ID())
		}
		if !whole(cl.Builds, maxBuilds) || len(cl.Samples) > reservoir {
			return errNoTable
		}
		if !slices.IsSortedFunc(cl.Samples, compareSamples) {
			return fmt.Errorf("cluster %s: samples out of order", id)
		}
	}
	for key, tr := range c.Variation {
		if key != VariationKey(tr.Scenario, tr.Field) {
			return errNoTable
		}
	}
	for key, p := range c.Times {
		if key != TimeKey(p.Build, p.Name, p.Class) {
			return errNoTable
		}
		for _, d := range []Distribution{p.Live, p.Shadow} {
			maps.DeleteFunc(d, func(i int, _ uint64) bool { return i < 0 || i > len(bucketBounds) })
		}
	}
	return nil
}

// whole: a table without holes, within its bound.
func whole[K comparable, V any](table map[K]*V, most int) bool {
	if len(table) > most {
		return false
	}
	for _, v := range table {
		if v == nil {
			return false
		}
	}
	return true
}
