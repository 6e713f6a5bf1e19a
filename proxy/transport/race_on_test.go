//go:build race

package transport

const raceEnabled = true // sync.Pool then drops things on purpose
