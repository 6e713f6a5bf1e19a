//go:build interop && soak

package interop

const kills = 1000
