// Package location will be documented by its table.
package location

type ID [10]byte
