package share

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/hotcut/hotcut/proxy/location"
)

// place is one in the stream of news: its birth, and the number of the entry. Zero: there is no stream.
type place struct{ birth, n uint64 }

func (p place) String() string {
	return strconv.FormatUint(p.birth, 10) + "-" + strconv.FormatUint(p.n, 10)
}

func parsePlace(s string) (p place, ok bool) {
	birth, n, ok := strings.Cut(s, "-")
	if !ok {
		return place{}, false
	}
	var err1, err2 error
	p.birth, err1 = strconv.ParseUint(birth, 10, 64)
	p.n, err2 = strconv.ParseUint(n, 10, 64)
	return p, err1 == nil && err2 == nil
}

// tip returns the place of the last news.
func (s *Share) tip(ctx context.Context, conn *redis.Conn) (place, error) {
	last, err := conn.XRevRangeN(ctx, s.key.news(), "+", "-", 1).Result()
	if err != nil || len(last) == 0 {
		return place{}, err
	}
	p, ok := parsePlace(last[0].ID)
	if !ok {
		return place{}, errors.New("the reply is not an answer to what was asked")
	}
	return p, nil
}

const newsPage = 256

// follow learns the news after a place, until the stream is not the one it was.
func (s *Share) follow(ctx context.Context, conn *redis.Conn, at place) error {
	for ctx.Err() == nil {
		// The client can not interrupt a blocked read: it must be short.
		read, stop := context.WithTimeout(context.WithoutCancel(ctx), s.pace.block+timeout)
		res, err := conn.XRead(read, &redis.XReadArgs{Streams: []string{s.key.news(), at.String()}, Count: newsPage, Block: s.pace.block}).Result()
		stop()
		if errors.Is(err, redis.Nil) {
			tip, err := s.tip(ctx, conn)
			if err != nil {
				return err
			}
			if tip.birth != at.birth && at != (place{}) || tip.birth == at.birth && tip.n < at.n {
				return errAnew
			}
			continue
		}
		if err != nil {
			return err
		}
		for _, stream := range res {
			for _, m := range stream.Messages {
				if at, err = next(at, m.ID); err != nil {
					return err
				}
				s.hear(m)
			}
		}
	}
	return ctx.Err()
}

// next says whether an entry is the one that follows.
func next(at place, id string) (place, error) {
	p, ok := parsePlace(id)
	first := at == place{}
	if !ok || p.n != at.n+1 || !first && p.birth != at.birth {
		return at, errAnew
	}
	return p, nil
}

// hear takes one entry.
func (s *Share) hear(m redis.XMessage) {
	if m.Values["w"] == s.writer {
		return
	}
	raw, _ := m.Values["b"].(string)
	b, err := s.parse(raw)
	if err != nil {
		s.foreign.Add(1)
		return
	}
	// If we know better, that is on its way already, or in the key. Only of the same moment nobody else may notice.
	if now := s.take(b); now != nil && *now != *b && stamps(now) == stamps(b) {
		s.feed.Owe(b.ID)
	}
}

func stamps(b *location.Binding) [3]int64 {
	return [3]int64{b.Stamp, b.Holds[0].Stamp, b.Holds[1].Stamp}
}
