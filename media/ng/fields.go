package ng

import (
	"strconv"
	"strings"
)

// Reading of fields by type: what has another type is as if it were not there.

func (d Dict) str(key string) string {
	s, _ := d[key].(string)
	return s
}

func (d Dict) integer(key string) int64 {
	n, _ := d[key].(int64)
	return n
}

// number is an integer, or a string that is one: Kamailio sends a value of its flags both ways.
func (d Dict) number(key string) (n int64, given bool) {
	switch v := d[key].(type) {
	case int64:
		return v, true
	case string:
		n, err := strconv.ParseInt(v, 10, 64)
		return n, err == nil
	}
	return 0, false
}

func (d Dict) dict(key string) Dict {
	v, _ := d[key].(Dict)
	return v
}

func (d Dict) list(key string) []any {
	v, _ := d[key].([]any)
	return v
}

// strs are the strings of a list; a string alone is a list of one.
func (d Dict) strs(key string) []string {
	switch v := d[key].(type) {
	case string:
		return []string{v}
	case []any:
		var list []string
		for _, e := range v {
			if s, is := e.(string); is {
				list = append(list, s)
			}
		}
		return list
	}
	return nil
}

// Writing: what is empty is left out.

func (d Dict) setStr(key, value string) {
	if value != "" {
		d[key] = value
	}
}

func (d Dict) setStrs(key string, values []string) {
	if len(values) > 0 {
		d[key] = listOf(values)
	}
}

func listOf(values []string) []any {
	list := make([]any, len(values))
	for i, v := range values {
		list[i] = v
	}
	return list
}

// hyphens has spaces of the keys as hyphens. Where both forms are given, the one with hyphens counts.
func (d Dict) hyphens() Dict {
	for key, v := range d {
		if name := strings.ReplaceAll(key, " ", "-"); name != key {
			if _, given := d[name]; !given {
				d[name] = v
			}
			delete(d, key)
		}
	}
	return d
}
