//go:build !soak && !race

package proxy

// A plain test has small tables, which few sources fill.
const (
	spoofedSources = 120_000
	spoofedTables  = 1024
	spoofedSlack   = 4 << 20
)

var spoofedMemory = resident
