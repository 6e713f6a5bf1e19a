//go:build race

package limit

// flood is how many sources are spoofed; ten times as many without the detector,
// which has nothing to find in one goroutine.
const flood = 1_000_000
