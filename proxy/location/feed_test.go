package location

import "testing"

func TestFeedCoalesces(t *testing.T) {
	table := open(t, Options{})
	feed := table.Feed()
	if feed != table.Feed() {
		t.Error("two feeds")
	}
	for i := range 10 {
		b := phone(1)
		b.Stamp += int64(i)
		table.Put(b)
	}
	table.Learn(phone(2))
	<-feed.Ready()
	got := feed.Take(nil, 100)
	if len(got) != 1 || got[0] != table.Get(phone(1).ID) {
		t.Errorf("%v", got)
	}
	if got := feed.Take(nil, 100); len(got) != 0 {
		t.Errorf("taken twice: %v", got)
	}
	feed.Owe(phone(1).ID)
	feed.Owe(phone(1).ID)
	feed.Owe(phone(9).ID)
	if got := feed.Take(nil, 100); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

// A follower that stays away costs a list of fixed length, and finds everything when it is back.
func TestFeedLosesNothing(t *testing.T) {
	const n = 3*feedRoom + 100
	table := open(t, Options{Limit: 4 * feedRoom})
	feed := table.Feed()
	for range 2 {
		for i := range n {
			b := phone(i)
			if old := table.Get(b.ID); old != nil {
				b.Stamp = old.Stamp + 1
			}
			table.Put(b)
		}
		if waiting, over := feed.waiting(); waiting != feedRoom || !over {
			t.Fatalf("%d listed, more: %v", waiting, over)
		}
		table.Sweep(noon) // nothing is due
		seen := map[ID]bool{}
		for len(seen) < n {
			<-feed.Ready()
			for _, b := range feed.Take(nil, 1000) {
				if seen[b.ID] {
					t.Fatalf("%s twice", b.ID)
				}
				seen[b.ID] = true
			}
		}
		if got := feed.Take(nil, 1000); len(got) != 0 {
			t.Errorf("%d more than there are", len(got))
		}
	}
	// What was swept meanwhile is not owed.
	feed.Owe(phone(1).ID)
	table.Sweep(noon.Add(1e6 * 1e9))
	if got := feed.Take(nil, 1000); len(got) != 0 {
		t.Errorf("%v", got)
	}
}
