//go:build race

package media

const raceEnabled = true // one tenth of the work takes as long then
