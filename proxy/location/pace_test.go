//go:build !race

package location

import "time"

// openSize bindings are read, with twice as many records in the log, in at most limitOfOpen of processor time: what doc.go
// promises in 2 s with two processors.
const (
	openSize    = 100_000
	limitOfOpen = 4 * time.Second
	damageStep  = 1 // every byte
)
