//go:build !soak && race

package proxy

// Under the race detector memory says nothing, and all takes long.
const (
	spoofedSources = 20_000
	spoofedTables  = 1024
	spoofedSlack   = 1 << 30
)

var spoofedMemory = resident
