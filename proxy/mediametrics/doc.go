// Package mediametrics names the figures of a media relay, once for the edge that has one inside and for `hotcut media`: the same thing
// has the same name on both.
//
// It promises that a relay which is not there has no figures, rather than zeros. It refuses to count anything itself.
package mediametrics
