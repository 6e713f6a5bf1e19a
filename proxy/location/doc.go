// Package location remembers which phone is where: the bindings that registrars confirmed, by an id that is the same on
// every edge.
package location
