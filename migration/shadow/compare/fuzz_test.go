package compare

import (
	"encoding/json"
	"testing"

	"github.com/hotcut/hotcut/migration/shadow/record"
)

// Whatever two records hold: nothing panics, no record differs from itself, every difference has words and a severity,
// and a tally takes it and reads back as it was.
func FuzzCompare(f *testing.F) {
	for _, c := range ruleCases {
		live, shadow := c.calls()
		a, _ := json.Marshal(live)
		b, _ := json.Marshal(shadow)
		f.Add(a, b)
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		live, shadow := new(record.Call), new(record.Call)
		if json.Unmarshal(a, live) != nil || json.Unmarshal(b, shadow) != nil {
			t.Skip()
		}
		for _, c := range []*record.Call{live, shadow} {
			if ds := Compare(c, c, Rules); len(ds) > 0 {
				t.Fatalf("a call differs from itself: %+v", ds)
			}
		}
		mirrored(t, "fuzz", live, shadow)
		v := Judge(live, shadow, Rules)
		for _, d := range v.Differences {
			if d.Field == "" || d.Kind == "" || d.Words == "" || d.Severity < Minor {
				t.Fatalf("%+v", d)
			}
		}
		tally := New("edge", "boot", nil)
		tally.Add(v)
		for _, c := range tally.Tenants {
			raw, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			back, err := DecodeTenant(raw)
			if err != nil {
				t.Fatalf("%v: %s", err, raw)
			}
			if again, _ := json.Marshal(back); string(again) != string(raw) {
				t.Fatalf("read back as\n%s\nwas\n%s", again, raw)
			}
		}
	})
}

// Whatever a store holds: what is not refused can be summed and summarised.
func FuzzDecodeTenant(f *testing.F) {
	tally := New("edge", "boot", nil)
	for _, v := range someVerdicts(1, 200) {
		tally.Add(v)
	}
	raw, _ := json.Marshal(tally.Tenants["acme"])
	f.Add(raw)
	f.Add([]byte(`{"clusters":{"a":null}}`))
	f.Add([]byte(`{"times":{"b|ring|x":{"build":"b","name":"ring","class":"x","live":{"-1":1,"9999":2,"3":4},"shadow":null}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := DecodeTenant(raw)
		if err != nil {
			return
		}
		sum := &Tally{}
		Merge(sum, &Tally{Tenants: map[string]*Tenant{"acme": c}})
		Merge(sum, &Tally{Tenants: map[string]*Tenant{"acme": c}})
		if _, err := json.Marshal(Summarise(sum, nil, "acme", testNow)); err != nil {
			t.Fatal(err)
		}
	})
}
