package location

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
	"unique"
)

// MaxRecord is how many bytes a binding may take as JSON, on disk and in Redis. What is longer is not stored anywhere:
// its phone is refused, not half remembered.
const MaxRecord = 8 << 10

// ErrRecord is what Parse returns for bytes that are no binding of ours.
var ErrRecord = errors.New("no record of a binding")

// record is a Binding in JSON. What a phone wrote need not be UTF-8, and JSON must be: if one field is not, every field
// is written with one character per byte (ISO 8859-1) and Bytes says so.
type record struct {
	*Binding
	Bytes bool `json:"bytes,omitempty"`
}

// AppendRecord writes a binding as one line of JSON without its line end.
func AppendRecord(dst []byte, b *Binding) ([]byte, error) {
	r := record{Binding: b}
	for s := range strs(b) {
		if !utf8.ValidString(*s) {
			r.Bytes, r.Binding = true, b.Clone()
			for s := range strs(r.Binding) {
				*s = widen(*s)
			}
			break
		}
	}
	w := bytes.NewBuffer(dst)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		return dst, err
	}
	out := w.Bytes()
	out = out[:len(out)-1] // Encode ends with a line end
	if n := len(out) - len(dst); n > MaxRecord {
		return dst, fmt.Errorf("%w: %d bytes, at most %d", ErrRecord, n, MaxRecord)
	}
	return out, nil
}

// ParseRecord reads what AppendRecord wrote, and refuses what no edge can have written.
func ParseRecord(raw []byte) (*Binding, error) {
	if len(raw) > MaxRecord {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrRecord, len(raw), MaxRecord)
	}
	r := record{Binding: new(Binding)}
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	b := r.Binding
	if r.Bytes {
		for s := range strs(b) {
			n, ok := narrow(*s)
			if !ok {
				return nil, fmt.Errorf("%w: a character beyond a byte", ErrRecord)
			}
			*s = n
		}
	}
	if err := check(b); err != nil {
		return nil, err
	}
	intern(b)
	return b, nil
}

// Moments beyond these are no clock's: Redis compares them as floating-point numbers, which are exact up to 2^53.
const (
	maxStamp = 1 << 53 // unix microseconds: the year 2255
	maxUnix  = maxStamp / 1_000_000
)

func check(b *Binding) error {
	switch {
	case b.ID == ID{}:
		return fmt.Errorf("%w: without an id", ErrRecord)
	case b.AoR == "":
		return fmt.Errorf("%w: without an address-of-record", ErrRecord)
	case outside(b.Stamp, maxStamp), outside(b.Told, maxUnix), outside(b.Asked, maxUnix):
		return fmt.Errorf("%w: a moment out of range", ErrRecord)
	}
	for i := range b.Holds {
		if h := &b.Holds[i]; outside(h.Stamp, maxStamp) || outside(h.Until, maxUnix) || outside(h.Lasts, maxUnix) {
			return fmt.Errorf("%w: a moment out of range", ErrRecord)
		}
	}
	return nil
}

func outside(v, limit int64) bool { return v < 0 || v >= limit }

// Fits says whether the binding's record keeps within MaxRecord.
func Fits(b *Binding) bool {
	// Numbers and names of fields take up to 1,100 bytes, an escaped byte up to 6.
	const certain = (MaxRecord - 1100) / 6
	n := 0
	for s := range strs(b) {
		n += len(*s)
	}
	if n <= certain {
		return true
	}
	if n > MaxRecord {
		return false
	}
	_, err := AppendRecord(nil, b)
	return err == nil
}

// strs lists the fields that a peer had a hand in.
func strs(b *Binding) func(yield func(*string) bool) {
	return func(yield func(*string) bool) {
		for _, s := range [...]*string{
			&b.Tenant, &b.AoR, &b.Unit, &b.To, &b.Contact, &b.URI, &b.CallID, &b.Instance, &b.RegID, &b.Agent,
			&b.Flow.Edge, &b.Flow.Listener, &b.Flow.Proto,
			&b.Holds[0].Target, &b.Holds[0].Route, &b.Holds[1].Target, &b.Holds[1].Route,
		} {
			if !yield(s) {
				return
			}
		}
	}
}

// intern lets bindings share the strings that most of them have in common.
func intern(b *Binding) {
	for _, s := range [...]*string{
		&b.Tenant, &b.Agent, &b.Flow.Edge, &b.Flow.Listener, &b.Flow.Proto,
		&b.Holds[0].Target, &b.Holds[1].Target, &b.Holds[0].Route, &b.Holds[1].Route,
	} {
		if *s != "" {
			*s = unique.Make(*s).Value()
		}
	}
	// What a record repeats within itself.
	if b.Unit == b.AoR {
		b.Unit = b.AoR
	}
	if i := strings.Index(b.Contact, b.URI); i >= 0 {
		b.URI = b.Contact[i:][:len(b.URI)]
	}
}

// widen turns every byte into the character of its number.
func widen(s string) string {
	b := make([]byte, 0, 2*len(s))
	for i := range len(s) {
		b = utf8.AppendRune(b, rune(s[i]))
	}
	return string(b)
}

func narrow(s string) (string, bool) {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			return "", false
		}
		b = append(b, byte(r))
	}
	return string(b), true
}
