package compare

import "strings"

// slot is the entry of a bounded table, made if there is room; nil: there is none.
func slot[K comparable, V any](table *map[K]*V, k K, most int) *V {
	if v := (*table)[k]; v != nil {
		return v
	}
	if len(*table) >= most {
		return nil
	}
	if *table == nil {
		*table = make(map[K]*V)
	}
	v := new(V)
	(*table)[k] = v
	return v
}

// inc adds to a counter; the table's keys are few by nature.
func inc[K comparable](table *map[K]uint64, k K, n uint64) {
	if *table == nil {
		*table = make(map[K]uint64)
	}
	(*table)[k] += n
}

// dec takes one back, and the entry with the last one, so that equal counts are equal JSON.
func dec[K comparable](table map[K]uint64, k K) {
	switch n := table[k]; n {
	case 0:
	case 1:
		delete(table, k)
	default:
		table[k] = n - 1
	}
}

// span widens first and last to hold at; 0 is no time.
func span(first, last *int64, at int64) {
	if at == 0 {
		return
	}
	if *first == 0 || at < *first {
		*first = at
	}
	*last = max(*last, at)
}

// clean makes a name fit for a table and for JSON: bounded, and what reads back as it was written.
func clean(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.ToValidUTF8(s, "?")
}
