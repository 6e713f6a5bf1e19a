package share

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"

	"github.com/hotcut/hotcut/proxy/location"
)

const scanPage = 256

// scan reads all bindings, and owes Redis what it does not have: bindings of our own, and whatever we know better.
func (s *Share) scan(ctx context.Context, conn *redis.Conn) error {
	s.scans.Add(1)
	found := make(map[location.ID]struct{})
	var cursor uint64
	for members := 0; ; {
		page, next, err := conn.ZScan(ctx, s.key.ids(), cursor, "", scanPage).Result()
		if refusal(err) {
			s.foreign.Add(1) // another type of key
			break
		}
		if err != nil {
			return err
		}
		for len(page) > 0 {
			n := min(len(page), 2*scanPage) // members, each with its score
			if err := s.fetch(ctx, conn, page[:n], found); err != nil {
				return err
			}
			page, members = page[n:], members+n/2
		}
		// A set that never ends is no set of ours.
		if cursor = next; cursor == 0 || members > 4*s.table.Limit() {
			break
		}
	}
	for b := range s.table.All() {
		if _, there := found[b.ID]; !there && b.Flow.Edge == s.table.Node() {
			s.feed.Owe(b.ID)
		}
	}
	return nil
}

// fetch reads the bindings that a page names.
func (s *Share) fetch(ctx context.Context, conn *redis.Conn, page []string, found map[location.ID]struct{}) error {
	var ids []location.ID
	for i := 0; i+1 < len(page); i += 2 {
		id, ok := location.ParseID([]byte(page[i]))
		if !ok {
			s.foreign.Add(1)
			continue
		}
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return nil
	}
	p := conn.Pipeline()
	got := make([]*redis.StringCmd, len(ids))
	for i, id := range ids {
		got[i] = p.GetRange(ctx, s.key.binding(id), 0, location.MaxRecord)
	}
	if _, err := p.Exec(ctx); err != nil && !refusal(err) {
		return err
	}
	for i, cmd := range got {
		raw, err := cmd.Result()
		switch {
		case err != nil && !refusal(err):
			return err
		case err != nil:
			s.foreign.Add(1)
		case raw != "": // else it expired
			if s.learn(raw, ids[i]) {
				found[ids[i]] = struct{}{}
			}
		}
	}
	return nil
}

// Stamps further ahead than this are no edge's clock. One such record would win over all news for as long.
const ahead = 24 * 60 * 60 * 1_000_000 // microseconds

var errAhead = errors.New("a stamp of tomorrow")

func (s *Share) parse(raw string) (*location.Binding, error) {
	if len(raw) > location.MaxRecord {
		return nil, location.ErrRecord
	}
	b, err := location.ParseRecord([]byte(raw))
	if err == nil && max(b.Stamp, b.Holds[0].Stamp, b.Holds[1].Stamp) > s.table.Now().UnixMicro()+ahead {
		err = errAhead
	}
	return b, err
}

// learn takes a record that Redis has under an id, and owes Redis the merge if we know better. false: it is no record.
func (s *Share) learn(raw string, id location.ID) bool {
	b, err := s.parse(raw)
	if err != nil || b.ID != id {
		s.foreign.Add(1)
		return false
	}
	if now := s.take(b); now != nil && *now != *b {
		s.feed.Owe(id)
	}
	return true
}

// take learns and returns what is known then.
func (s *Share) take(b *location.Binding) *location.Binding {
	before := s.table.Get(b.ID)
	s.table.Learn(b)
	now := s.table.Get(b.ID)
	if now != before {
		s.learned.Add(1)
	}
	return now
}
