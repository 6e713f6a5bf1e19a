//go:build soak

package proxy

// The soak has the tables of the defaults: see `make soak`.
const (
	spoofedSources = 10_000_000
	spoofedTables  = 0
	spoofedSlack   = 24 << 20
)

var spoofedMemory = peak
