//go:build interop

package migration_test

import (
	"testing"

	"github.com/hotcut/hotcut/policy/redisstore/redistest"
)

// The same of a policy of 100,000 tenants on a real server, where the whole is about 100 MB.
func TestRealNamedMovesKilobytes(t *testing.T) {
	tenants := 100_000
	if testing.Short() {
		tenants = 10_000
	}
	namedMovesKilobytes(t, redistest.Start(t).URL(), tenants, 256<<10)
}
