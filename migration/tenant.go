package migration

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hotcut/hotcut/policy"
)

// Fresh is a new tenant's record before its own fields: on legacy, with a salt that it keeps for ever.
func Fresh(id string) *policy.Tenant {
	return &policy.Tenant{ID: id, Salt: policy.MintSalt(), HashVer: 1}
}

// Add makes a tenant from fields over a fresh record.
func Add(id string, fields Fields, by Author) Goal {
	fresh := Fresh(id) // one salt, however often the goal is planned
	return func(at Present) (*Plan, error) {
		if at.record(id) != nil {
			return nil, &GoalError{Problem: fmt.Sprintf("tenant %q exists", id), Fix: "hotcut tenant set " + id}
		}
		after, err := Overlay(fresh, fields)
		if err != nil {
			return nil, err
		}
		p := &Plan{Change: at.change(policy.KindTenant, by)}
		p.put(id, nil, after)
		return p.finish(at)
	}
}

// Set lays fields over a tenant's record.
func Set(id string, fields Fields, by Author) Goal {
	return func(at Present) (*Plan, error) {
		before, err := at.Find(id)
		if err != nil {
			return nil, err
		}
		after, err := setFields(before, fields)
		if err != nil {
			return nil, err
		}
		p := &Plan{Change: at.change(policy.KindTenant, by)}
		if same(before, after) {
			p.Notes = append(p.Notes, id+" is so already")
			return p.finish(at)
		}
		p.put(id, before, after)
		return p.finish(at)
	}
}

// setFields refuses what a record keeps for ever.
func setFields(before *policy.Tenant, fields Fields) (*policy.Tenant, error) {
	after, err := Overlay(before, fields)
	if err != nil {
		return nil, err
	}
	if after.ID != before.ID {
		return nil, &GoalError{Problem: fmt.Sprintf("tenant %s: id can not change", before.ID), Fix: "hotcut tenant add " + after.ID}
	}
	if after.Salt != before.Salt || after.HashVer != before.HashVer {
		return nil, &GoalError{Problem: fmt.Sprintf("tenant %s: salt and hashVersion can not change: they decide who is in the canary's share", before.ID)}
	}
	return after, nil
}

// Remove takes a tenant out of the policy: its domains and numbers become unknown.
func Remove(id string, by Author) Goal {
	return func(at Present) (*Plan, error) {
		before, err := at.Find(id)
		if err != nil {
			return nil, err
		}
		p := &Plan{Change: at.change(policy.KindTenant, by)}
		p.put(id, before, nil)
		p.Warnings = append(p.Warnings, fmt.Sprintf("%s and %s of %s become unknown and go to the default, %s",
			count(len(before.Domains), "domain"), count(len(before.Numbers), "number"), id, at.Globals().Default))
		return p.finish(at)
	}
}

// Import adds the tenants of a list and lays their fields over those that exist; a tenant that is not in the list stays
// as it is. What a file does not say of an existing tenant (its stage, its share) does not change. What is wrong with the
// file is told at once, of all tenants.
func Import(list []Fields, by Author) Goal {
	fresh := make(map[string]*policy.Tenant)
	return func(at Present) (*Plan, error) {
		p := &Plan{Change: at.change(policy.KindImport, by)}
		seen := make(map[string]int, len(list))
		var wrong wrongs
		for i, fields := range list {
			id, err := idOf(fields)
			if err != nil {
				wrong.add(i, "", err)
				continue
			}
			if first, twice := seen[id]; twice {
				wrong.errs = append(wrong.errs, &GoalError{Problem: fmt.Sprintf("tenant %q stands twice in the file, as number %d and %d", id, first, i+1)})
				continue
			}
			seen[id] = i + 1
			before := at.record(id)
			if before == nil {
				if fresh[id] == nil {
					fresh[id] = Fresh(id)
				}
				after, err := Overlay(fresh[id], fields)
				if err != nil {
					wrong.add(i, id, err)
					continue
				}
				p.put(id, nil, after)
				continue
			}
			after, err := setFields(before, fields)
			if err != nil {
				wrong.add(i, id, err)
				continue
			}
			if !same(before, after) {
				p.put(id, before, after)
			}
		}
		if p.Empty() {
			p.Notes = append(p.Notes, "the policy says all of this already")
		}
		done, err := p.finish(at)
		if wrong.none() {
			return done, err
		}
		if refusal, ok := errors.AsType[*policy.Refusal](err); ok { // of those that could be read
			wrong.faults = append(wrong.faults, refusal.Faults...)
		}
		return nil, wrong.err()
	}
}

// wrongs are what is wrong with a file of tenants.
type wrongs struct {
	faults []policy.Fault
	errs   []error // what is no fault of a field
}

func (w *wrongs) none() bool { return len(w.faults)+len(w.errs) == 0 }

// add notes what is wrong with the record at index i.
func (w *wrongs) add(i int, id string, err error) {
	refusal, ok := errors.AsType[*policy.Refusal](err)
	if !ok {
		w.errs = append(w.errs, fmt.Errorf("tenant %d of the file: %w", i+1, err))
		return
	}
	for _, f := range refusal.Faults {
		if f.Tenant == "" {
			f.Tenant = id
		}
		w.faults = append(w.faults, f)
	}
}

func (w *wrongs) err() error {
	if len(w.faults) == 0 {
		return errors.Join(w.errs...)
	}
	return errors.Join(append([]error{&policy.Refusal{Faults: w.faults}}, w.errs...)...)
}

func idOf(fields Fields) (string, error) {
	raw, ok := fields["id"]
	if !ok {
		return "", &GoalError{Problem: `field "id" is missing`}
	}
	var id string
	if err := json.Unmarshal(raw, &id); err != nil {
		return "", &GoalError{Problem: `field "id" is not a string`}
	}
	return id, nil
}
