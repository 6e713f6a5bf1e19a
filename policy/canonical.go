package policy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Schema is the version of records, changes and exports that this build reads and writes.
const Schema = 1

// Bounds of what is read.
const (
	MaxGlobals = 1 << 20  // bytes of canonical JSON of the globals
	MaxChange  = 64 << 20 // bytes of one change: an import commits by pieces of at most 1,000 tenants
)

// canonical is encoding/json without HTML escaping and without the newline: struct order, sorted maps.
func canonical(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func errTooLarge(n int) error {
	return fmt.Errorf("the record is %d bytes, more than %d: shorten its users, groups, rules or numbers (a contiguous block of numbers is one range)", n, MaxRecord)
}

func recordFault(t *Tenant, err error) Fault {
	return Fault{Tenant: t.ID, Field: "record", Problem: err.Error()}
}

// Canonical returns the one JSON form of the record. More than MaxRecord bytes is an error, as is an enumeration's
// value without a name.
func (t *Tenant) Canonical() ([]byte, error) {
	b, err := canonical(t)
	if err == nil && len(b) > MaxRecord {
		err = errTooLarge(len(b))
	}
	return b, err
}

// ParseTenant reads a tenant record strictly: what is unknown, twice there or of the wrong type is a *Refusal naming the
// field. It checks the form; a Snapshot checks the meaning.
func ParseTenant(b []byte) (*Tenant, error) {
	t := new(Tenant)
	if err := parseStrict(b, t, 4*MaxRecord); err != nil {
		return nil, err
	}
	return t, nil
}

// ParseGlobals reads globals as strictly as ParseTenant.
func ParseGlobals(b []byte) (Globals, error) {
	var g Globals
	err := parseStrict(b, &g, MaxGlobals)
	return g, err
}

// Canonical returns the one JSON form of the change.
func (c *Change) Canonical() ([]byte, error) { return canonical(c) }

// ParseChange reads a change as strictly as ParseTenant.
func ParseChange(b []byte) (Change, error) {
	var c Change
	err := parseStrict(b, &c, MaxChange)
	return c, err
}

// ChainOf returns SHA-256(prev, newline, canonical change without its chain) in hex. Equal chains are equal histories.
// A change that has no canonical form gives "", which is nobody's chain.
func ChainOf(prev string, c *Change) string {
	bare := *c
	bare.Chain = ""
	b, err := bare.Canonical()
	if err != nil {
		return ""
	}
	h := sha256.New()
	h.Write([]byte(prev))
	h.Write([]byte{'\n'})
	h.Write(b)
	return hex.EncodeToString(h.Sum(nil))
}

func parseStrict(b []byte, into any, limit int) error {
	if len(b) > limit {
		return refuse([]Fault{{Field: "json", Problem: fmt.Sprintf("%d bytes, more than %d", len(b), limit)}})
	}
	err := json.Unmarshal(b, into)
	if se, ok := errors.AsType[*json.SyntaxError](err); ok {
		return refuse([]Fault{{Field: "json", Problem: fmt.Sprintf("is not JSON at byte %d: %v", se.Offset, se)}})
	}
	// encoding/json takes names in any case and lets the last of two win; a policy must mean one thing.
	list := checkNames(b, reflect.TypeOf(into).Elem())
	if len(list) > 0 || err == nil {
		return refuse(list)
	}
	f := Fault{Field: "json", Problem: err.Error()}
	if te, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		f = Fault{Field: te.Field, Problem: "is a JSON " + te.Value, Fix: "write " + jsonKind(te.Type)}
		if f.Field == "" {
			f.Field = "json"
		}
	}
	return refuse([]Fault{f})
}

// jsonKind says in words what a Go type is in JSON.
func jsonKind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	}
	if reflect.PointerTo(t).Implements(textUnmarshaler) {
		return "one of its words"
	}
	return "a whole number"
}

func sha(b []byte) [32]byte { return sha256.Sum256(b) }

// sortedByID returns the list in the order of the log.
func sortedByID(list []TenantChange) []TenantChange {
	if slices.IsSortedFunc(list, compareID) {
		return list
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, compareID)
	return list
}

func compareID(a, b TenantChange) int { return strings.Compare(a.ID, b.ID) }
