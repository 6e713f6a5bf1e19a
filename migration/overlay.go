package migration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/hotcut/hotcut/policy"
)

// Fields are JSON fields of a record, by their JSON names. A null takes the field away.
type Fields map[string]json.RawMessage

// fieldsOf takes a value apart by its JSON fields.
func fieldsOf(v any) (Fields, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var f Fields
	return f, json.Unmarshal(b, &f)
}

// Overlay lays fields over a record. Unknown fields and bad values are refused by name.
func Overlay(base *policy.Tenant, over Fields) (*policy.Tenant, error) {
	f, err := fieldsOf(base)
	if err != nil {
		return nil, fmt.Errorf("tenant %s: %w", base.ID, err)
	}
	for name, v := range over {
		f[name] = v
	}
	b, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("tenant %s: %w", base.ID, err)
	}
	return policy.ParseTenant(b)
}

// altered lists the JSON fields in which two values of one type differ, sorted.
func altered(before, after any) ([]string, Fields, Fields, error) {
	b, err := fieldsOf(before)
	if err != nil {
		return nil, nil, nil, err
	}
	a, err := fieldsOf(after)
	if err != nil {
		return nil, nil, nil, err
	}
	names := make(map[string]bool)
	for name, v := range b {
		if !bytes.Equal(v, a[name]) {
			names[name] = true
		}
	}
	for name := range a {
		if _, ok := b[name]; !ok {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names)), b, a, nil
}

// same reports whether two records say the same.
func same(a, b *policy.Tenant) bool {
	names, _, _, err := altered(a, b)
	return err == nil && len(names) == 0
}
