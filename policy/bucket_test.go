package policy

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"testing"
)

// The vectors were computed by testdata/buckets.py, which shares no code with this package.
func TestBucketVectors(t *testing.T) {
	raw, err := os.ReadFile("testdata/buckets.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Salt, Kind, Unit string
		Bucket           int
	}
	if err := json.Unmarshal(raw, &rows); err != nil || len(rows) < 40 {
		t.Fatalf("%d vectors, %v", len(rows), err)
	}
	for _, r := range rows {
		var salt [16]byte
		if _, err := hex.Decode(salt[:], []byte(r.Salt)); err != nil {
			t.Fatal(err)
		}
		if got := bucketOf(&salt, r.Kind[0], r.Unit); got != r.Bucket {
			t.Errorf("salt %s %s:%s: bucket %d, want %d", r.Salt, r.Kind, r.Unit, got, r.Bucket)
		}
	}
}

// Through Decide: one who is in at a share stays in at every larger one, and a group moves as one.
func TestSharesNest(t *testing.T) {
	groups := map[string]string{"g1": "team", "g2": "team", "g3": "team"}
	in := make(map[string]bool)
	for share := 0; share <= FullShare; share += 500 {
		s := snapshot(t, tenant("acme", func(t *Tenant) { t.Stage, t.Share, t.Groups = StageCanary, share, groups }))
		r := s.Tenant("acme")
		count, team := 0, 0
		for i := range 2000 {
			u := fmt.Sprintf("user%d", i)
			core := s.Decide(Query{Tenant: r, Unit: u}).Platform == Core
			if in[u] && !core {
				t.Fatalf("%s was on core below %s and is not at it", u, FormatShare(share))
			}
			if in[u] = core; core {
				count++
			}
		}
		for u := range groups {
			if s.Decide(Query{Tenant: r, Unit: u}).Platform == Core {
				team++
			}
		}
		if team != 0 && team != 3 {
			t.Fatalf("at %s the group is split: %d of 3 on core", FormatShare(share), team)
		}
		// 2,000 units: five standard deviations of a fair hash are at most 5.6 %.
		if d := count*FullShare/2000 - share; d > 560 || d < -560 {
			t.Errorf("at %s core serves %d of 2000", FormatShare(share), count)
		}
	}
}
