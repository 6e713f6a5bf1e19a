package ng

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// Dict is a dictionary of bencode. Its values are string, int64, []any (of the same) and Dict.
type Dict map[string]any

// Bounds of what is decoded. The report of a call is 9 deep and has some 40 values for each media; the statistics of
// rtpengine have some 350.
const (
	maxDepth    = 16
	maxElements = 16 << 10
)

// What decode refuses.
var (
	errTruncated = errors.New("bencode: ends too early")
	errTrailing  = errors.New("bencode: bytes after the dictionary")
	errDepth     = fmt.Errorf("bencode: deeper than %d", maxDepth)
	errElements  = fmt.Errorf("bencode: more than %d values", maxElements)
	errInteger   = errors.New("bencode: an integer that is none, does not fit or has leading zeros")
	errLength    = errors.New("bencode: a string of which the length is none, or more than there is")
	errType      = errors.New("bencode: a value that begins with none of i, l, d and a digit")
	errKey       = errors.New("bencode: a key that is no string")
	errTwice     = errors.New("bencode: a key given twice")
	errNotDict   = errors.New("bencode: not a dictionary")
)

// decode reads one dictionary that fills b. What it returns shares no memory with b.
func decode(b []byte) (Dict, error) {
	if len(b) == 0 || b[0] != 'd' {
		return nil, errNotDict
	}
	r := reader{b: b}
	v, err := r.value(0)
	if err != nil {
		return nil, err
	}
	if r.pos != len(b) {
		return nil, errTrailing
	}
	return v.(Dict), nil
}

type reader struct {
	b        []byte
	pos      int
	elements int
}

func (r *reader) value(depth int) (any, error) {
	if r.elements++; r.elements > maxElements {
		return nil, errElements
	}
	if depth > maxDepth {
		return nil, errDepth
	}
	if r.pos >= len(r.b) {
		return nil, errTruncated
	}
	switch c := r.b[r.pos]; {
	case c == 'i':
		r.pos++
		return r.integer()
	case c >= '0' && c <= '9':
		return r.str()
	case c == 'l':
		r.pos++
		return r.list(depth)
	case c == 'd':
		r.pos++
		return r.dict(depth)
	}
	return nil, errType
}

// integer reads "-12e".
func (r *reader) integer() (any, error) {
	end := r.pos
	for end < len(r.b) && r.b[end] != 'e' {
		if end++; end-r.pos > 20 { // the longest int64
			return nil, errInteger
		}
	}
	if end == len(r.b) {
		return nil, errTruncated
	}
	text := string(r.b[r.pos:end])
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != text { // "+1", "-0", "007"
		return nil, errInteger
	}
	r.pos = end + 1
	return n, nil
}

// str reads "4:spam".
func (r *reader) str() (string, error) {
	n, start := 0, r.pos
	for ; ; r.pos++ {
		if r.pos == len(r.b) {
			return "", errTruncated
		}
		c := r.b[r.pos]
		if c == ':' {
			break
		}
		if c < '0' || c > '9' || r.pos > start && n == 0 {
			return "", errLength
		}
		if n = 10*n + int(c-'0'); n > len(r.b) {
			return "", errLength
		}
	}
	if r.pos == start || n > len(r.b)-r.pos-1 {
		return "", errLength
	}
	r.pos++
	s := string(r.b[r.pos : r.pos+n])
	r.pos += n
	return s, nil
}

func (r *reader) list(depth int) (any, error) {
	list := []any{}
	for {
		if r.end() {
			return list, nil
		}
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
}

func (r *reader) dict(depth int) (any, error) {
	d := Dict{}
	for {
		if r.end() {
			return d, nil
		}
		switch {
		case r.pos == len(r.b):
			return nil, errTruncated
		case r.b[r.pos] < '0' || r.b[r.pos] > '9':
			return nil, errKey
		}
		key, err := r.str()
		if err != nil {
			return nil, err
		}
		if _, twice := d[key]; twice {
			return nil, errTwice
		}
		if d[key], err = r.value(depth + 1); err != nil {
			return nil, err
		}
	}
}

// end takes the 'e' of a list or dictionary, if it is there.
func (r *reader) end() bool {
	if r.pos < len(r.b) && r.b[r.pos] == 'e' {
		r.pos++
		return true
	}
	return false
}

// appendDict appends d, keys sorted. A value of a type that Dict does not have is a mistake of this package: it is left out.
func appendDict(dst []byte, d Dict) []byte {
	dst = append(dst, 'd')
	for _, key := range slices.Sorted(maps.Keys(d)) {
		if encodable(d[key]) {
			dst = appendValue(appendString(dst, key), d[key])
		}
	}
	return append(dst, 'e')
}

func appendValue(dst []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return appendString(dst, v)
	case int64:
		return append(strconv.AppendInt(append(dst, 'i'), v, 10), 'e')
	case []any:
		dst = append(dst, 'l')
		for _, e := range v {
			if encodable(e) {
				dst = appendValue(dst, e)
			}
		}
		return append(dst, 'e')
	case Dict:
		return appendDict(dst, v)
	}
	return dst
}

func encodable(v any) bool {
	switch v.(type) {
	case string, int64, []any, Dict:
		return true
	}
	return false
}

func appendString(dst []byte, s string) []byte {
	dst = strconv.AppendInt(dst, int64(len(s)), 10)
	return append(append(dst, ':'), s...)
}
