package migration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
)

func TestRosterSurvives(t *testing.T) {
	dir := t.TempDir()
	path := RosterPath(dir, "redis://one")
	if other := RosterPath(dir, "redis://two"); other == path {
		t.Error("two stores share one roster")
	}
	if r, err := LoadRoster(path); err != nil || len(r.Nodes) > 0 {
		t.Errorf("a missing roster: %+v, %v", r, err)
	}
	want := Roster{SavedAt: 60_000, Head: policy.Head{Rev: 7}, Nodes: []policy.NodeState{{Edge: "edge-1", Admin: "unix:///x", Rev: 7, State: policy.Live}}}
	if err := SaveRoster(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := LoadRoster(path)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if d := got.Age(time.UnixMilli(90_000)); d != 30*time.Second {
		t.Errorf("age %s", d)
	}
	if d := got.Age(time.UnixMilli(0)); d != 0 {
		t.Errorf("age %s of the future", d)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".roster-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadRoster(path); err == nil {
		t.Error("half a roster was read")
	}
	if err := os.Truncate(path, maxRoster+1); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadRoster(path); err == nil {
		t.Error("a roster without bound was read")
	}
}

// FuzzOverlay: whatever a file says, the result is a whole record or an error, and laying nothing over it changes nothing.
func FuzzOverlay(f *testing.F) {
	for _, s := range []string{`{}`, `{"name":"x"}`, `{"domains":null}`, `{"id":1}`, `{"rules":[{"platform":"core"}]}`, `{"salt":""}`, `{"stage":"moon"}`} {
		f.Add([]byte(s))
	}
	base := Fresh("acme")
	f.Fuzz(func(t *testing.T, doc []byte) {
		var fields Fields
		if json.Unmarshal(doc, &fields) != nil {
			return
		}
		got, err := Overlay(base, fields)
		if err != nil {
			return
		}
		again, err := Overlay(got, Fields{})
		if err != nil || !same(got, again) {
			t.Errorf("%s: %v", doc, err)
		}
	})
}
