//go:build race

package location

import "time"

// Under the race detector everything is slower, and there are fewer.
const (
	openSize    = 5_000
	limitOfOpen = 20 * time.Second
	damageStep  = 13
)
