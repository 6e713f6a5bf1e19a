package policy

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// nameWalk checks JSON against Go types where encoding/json is lax: every name is a field, spelled exactly, once, and
// every word of an enumeration is known. Its input has been parsed already, so it is valid JSON of bounded depth.
type nameWalk struct {
	b    []byte
	i    int
	list []Fault
}

func checkNames(b []byte, t reflect.Type) []Fault {
	w := &nameWalk{b: b}
	w.value(t, "")
	return w.list
}

func (w *nameWalk) space() {
	for w.i < len(w.b) && (w.b[w.i] == ' ' || w.b[w.i] == '\t' || w.b[w.i] == '\n' || w.b[w.i] == '\r') {
		w.i++
	}
}

// value walks one value of type t (nil: anything) at path.
func (w *nameWalk) value(t reflect.Type, path string) {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	w.space()
	switch w.b[w.i] {
	case '{':
		w.object(t, path)
	case '[':
		w.array(t, path)
	case '"':
		w.word(t, path)
	default: // number, true, false, null
		for w.i < len(w.b) && bytes.IndexByte([]byte(",]} \t\r\n"), w.b[w.i]) < 0 {
			w.i++
		}
	}
}

// word reads a string; the words of an enumeration are checked here, where the field is known.
func (w *nameWalk) word(t reflect.Type, path string) {
	s := w.str()
	if t == nil || !reflect.PointerTo(t).Implements(textUnmarshaler) {
		return
	}
	if err := reflect.New(t).Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s)); err != nil {
		w.list = append(w.list, Fault{Field: path, Problem: err.Error()})
	}
}

func (w *nameWalk) object(t reflect.Type, path string) {
	var fields map[string]reflect.Type
	var elem reflect.Type
	switch {
	case t == nil:
	case t.Kind() == reflect.Struct:
		fields = fieldsOf(t)
	case t.Kind() == reflect.Map:
		elem = t.Elem()
	}
	var seen [16]string
	names := seen[:0]
	var many map[string]bool
	for w.i++; ; {
		w.space()
		switch w.b[w.i] {
		case '}':
			w.i++
			return
		case ',':
			w.i++
			continue
		}
		name := w.str()
		at := strings.TrimPrefix(path+"."+name, ".")
		if many == nil && len(names) == cap(names) {
			many = make(map[string]bool)
			for _, n := range names {
				many[n] = true
			}
		}
		dup := many[name]
		if many != nil {
			many[name] = true
		} else {
			for _, n := range names {
				dup = dup || n == name
			}
			names = append(names, name)
		}
		if dup {
			w.list = append(w.list, Fault{Field: at, Problem: "stands twice", Fix: "keep one of them"})
		}
		next := elem
		if fields != nil {
			var ok bool
			if next, ok = fields[name]; !ok {
				w.list = append(w.list, Fault{Field: at, Problem: "is an unknown field", Fix: nearest(name, fields)})
			}
		}
		w.space()
		w.i++ // the colon
		w.value(next, at)
	}
}

func (w *nameWalk) array(t reflect.Type, path string) {
	var elem reflect.Type
	if t != nil && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) {
		elem = t.Elem()
	}
	w.i++
	for n := 0; ; {
		w.space()
		switch w.b[w.i] {
		case ']':
			w.i++
			return
		case ',':
			w.i++
			continue
		}
		at := path
		if elem != nil {
			at = fmt.Sprintf("%s[%d]", path, n)
		}
		w.value(elem, at)
		n++
	}
}

// str reads a string token and returns it unquoted.
func (w *nameWalk) str() string {
	start := w.i
	escaped := false
	for w.i++; w.b[w.i] != '"'; w.i++ {
		if w.b[w.i] == '\\' {
			escaped = true
			w.i++
		}
	}
	w.i++
	if !escaped {
		return string(w.b[start+1 : w.i-1])
	}
	var s string
	json.Unmarshal(w.b[start:w.i], &s) // valid: parsed before
	return s
}

var textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()

var fieldTables sync.Map // reflect.Type -> map[string]reflect.Type

func fieldsOf(t reflect.Type) map[string]reflect.Type {
	if m, ok := fieldTables.Load(t); ok {
		return m.(map[string]reflect.Type)
	}
	m := make(map[string]reflect.Type)
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		if name == "" {
			name = f.Name
		}
		m[name] = f.Type
	}
	fieldTables.Store(t, m)
	return m
}

// nearest suggests the field that was probably meant.
func nearest(name string, fields map[string]reflect.Type) string {
	best, at := "", 3
	for f := range fields {
		if d := distance(strings.ToLower(name), strings.ToLower(f)); d < at || d == at && best != "" && f < best {
			best, at = f, d
		}
	}
	if best == "" {
		return "remove it"
	}
	return "write " + best
}

// distance is Levenshtein's, for names of at most 32 bytes.
func distance(a, b string) int {
	if len(a) > 32 || len(b) > 32 {
		return 33
	}
	var row [33]int
	for j := range len(b) + 1 {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diag
			if a[i] != b[j] {
				cost++
			}
			diag = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
