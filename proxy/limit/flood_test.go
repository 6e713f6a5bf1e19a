//go:build !race

package limit

// flood is how many sources are spoofed.
const flood = 10_000_000
