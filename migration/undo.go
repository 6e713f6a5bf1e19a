package migration

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/hotcut/hotcut/policy"
)

// Undo takes back what one change did to the tenants and globals that it touched, field by field. Fields that somebody
// altered since go back too, with a warning; fields that the change did not touch stay as they are now.
func Undo(c policy.Change, by Author) Goal {
	return func(at Present) (*Plan, error) {
		if c.Kind == policy.KindInit || c.Kind == policy.KindResync {
			return nil, &GoalError{Problem: fmt.Sprintf("rev %d (%s) starts a history and can not be taken back", c.Rev, c.Kind)}
		}
		p := &Plan{Change: at.change(policy.KindUndo, by)}
		p.Change.Undoes = c.Rev
		for _, tc := range c.Tenants {
			if err := p.undoTenant(at, tc, c.Rev); err != nil {
				return nil, err
			}
		}
		if c.Globals != nil && c.Globals.After != nil {
			if err := p.undoGlobals(at, c); err != nil {
				return nil, err
			}
		}
		if p.Empty() {
			p.Notes = append(p.Notes, fmt.Sprintf("what rev %d did does not stand any more", c.Rev))
		}
		return p.finish(at)
	}
}

// About lists the tenants that undoing a change is about; none when it is about everybody.
func About(c policy.Change) []string {
	if c.Globals != nil {
		return nil
	}
	ids := make([]string, 0, len(c.Tenants))
	for _, tc := range c.Tenants {
		ids = append(ids, tc.ID)
	}
	return ids
}

func (p *Plan) undoTenant(at Present, tc policy.TenantChange, rev uint64) error {
	now := at.record(tc.ID)
	switch {
	case tc.Before == nil && now == nil, tc.After == nil && tc.Before == nil:
		return nil
	case tc.Before == nil: // it was added
		if !same(now, tc.After) {
			p.Warnings = append(p.Warnings, fmt.Sprintf("%s has changed since rev %d added it; undo removes it with all that", tc.ID, rev))
		}
		p.put(tc.ID, now, nil)
		return nil
	case tc.After == nil: // it was removed
		if now != nil {
			return &GoalError{Problem: fmt.Sprintf("rev %d removed %s, but a tenant of that id exists again", rev, tc.ID), Fix: "hotcut history " + tc.ID}
		}
		p.put(tc.ID, nil, tc.Before)
		return nil
	case now == nil:
		return &GoalError{Problem: fmt.Sprintf("%s was removed after rev %d", tc.ID, rev), Fix: "hotcut history " + tc.ID}
	}
	back, since, err := revert(tc.Before, tc.After, now)
	if err != nil {
		return err
	}
	for _, name := range since {
		p.Warnings = append(p.Warnings, fmt.Sprintf("%s: %s has changed since rev %d; undo takes that back too", tc.ID, name, rev))
	}
	after, err := Overlay(now, back)
	if err != nil {
		return err
	}
	if !same(now, after) {
		p.put(tc.ID, now, after)
	}
	return nil
}

func (p *Plan) undoGlobals(at Present, c policy.Change) error {
	var before policy.Globals
	if c.Globals.Before != nil {
		before = *c.Globals.Before
	}
	now := at.Globals()
	back, since, err := revert(before, *c.Globals.After, now)
	if err != nil {
		return err
	}
	for _, name := range since {
		p.Warnings = append(p.Warnings, fmt.Sprintf("global %s has changed since rev %d; undo takes that back too", name, c.Rev))
	}
	f, err := fieldsOf(now)
	if err != nil {
		return err
	}
	for name, v := range back {
		if bytes.Equal(v, []byte("null")) {
			delete(f, name)
			continue
		}
		f[name] = v
	}
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	var after policy.Globals
	if err := json.Unmarshal(b, &after); err != nil {
		return err
	}
	if names, _, _, err := altered(now, after); err == nil && len(names) > 0 {
		p.Change.Globals = &policy.GlobalsChange{Before: &now, After: &after}
	}
	return nil
}

// revert returns the fields that bring now back to before in all that before -> after altered, and the names of those
// that changed again since.
func revert(before, after, now any) (back Fields, since []string, err error) {
	names, b, a, err := altered(before, after)
	if err != nil {
		return nil, nil, err
	}
	n, err := fieldsOf(now)
	if err != nil {
		return nil, nil, err
	}
	back = make(Fields, len(names))
	for _, name := range names {
		if !bytes.Equal(n[name], a[name]) && !bytes.Equal(n[name], b[name]) {
			since = append(since, name)
		}
		if v, ok := b[name]; ok {
			back[name] = v
		} else {
			back[name] = json.RawMessage("null")
		}
	}
	return back, since, nil
}
