package policy

import "testing"

// Lamps are copied only where somebody asked for it; calls always.
func TestSubscriptionsAreMirroredOnRequest(t *testing.T) {
	for _, subs := range []bool{false, true} {
		rec := &Record{Tenant: &Tenant{ID: "acme", Stage: StageShadow, Mirror: FullShare, MirrorSubs: subs}}
		s := &Snapshot{}
		for method, want := range map[string]bool{"INVITE": true, "REGISTER": true, "OPTIONS": true, "SUBSCRIBE": subs} {
			if d := s.Decide(Query{Tenant: rec, Method: method}); d.Mirror != want {
				t.Errorf("%s with subscriptions %v: mirror %v, want %v", method, subs, d.Mirror, want)
			}
		}
	}
}
