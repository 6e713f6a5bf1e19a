//go:build !race

package media

const raceEnabled = false // one tenth of the work takes as long then
