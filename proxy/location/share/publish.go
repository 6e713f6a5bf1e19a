package share

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hotcut/hotcut/proxy/location"
)

// writeScript writes one record unless a part of what is there is newer. Every answer repeats the id.
//
// KEYS 1 binding, 2 ids, 3 news. ARGV 1 id, 2 record, 3 milliseconds that it lives, 4 to 6 its stamps (who, holds),
// 7 writer, 8 "1": whatever is there, 9 longest record, 10 entries of the stream.
var writeScript = redis.NewScript(`
local old = redis.pcall('GET', KEYS[1])
if type(old) ~= 'string' then old = nil end
if old == ARGV[2] then return {'same', ARGV[1], ''} end
if old and ARGV[8] ~= '1' and #old <= tonumber(ARGV[9]) then
  local ok, o = pcall(cjson.decode, old)
  if ok and type(o) == 'table' then
    local has = {o.stamp}
    if type(o.holds) == 'table' then
      for i = 1, 2 do
        if type(o.holds[i]) == 'table' then has[i + 1] = o.holds[i].stamp end
      end
    end
    for i = 1, 3 do
      if type(has[i]) == 'number' and has[i] > tonumber(ARGV[3 + i]) then return {'newer', ARGV[1], old} end
    end
  end
end
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local at = t[1] .. string.format('%06d', tonumber(t[2])) .. '-1'
local last = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)
if #last > 0 then
  local birth, n = string.match(last[1][1], '^(%d+)-(%d+)$')
  at = birth .. '-' .. string.format('%.0f', tonumber(n) + 1)
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now))
redis.call('ZADD', KEYS[2], string.format('%.0f', now + tonumber(ARGV[3])), ARGV[1])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[10], at, 'w', ARGV[7], 'b', ARGV[2])
return {'ok', ARGV[1], ''}
`)

const (
	writePage = 128
	newsKept  = 32768
)

// publish writes what the table owes, and when ctx ends what is left.
func (s *Share) publish(ctx context.Context, conn *redis.Conn) error {
	for {
		select {
		case <-ctx.Done():
			last, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer stop()
			for {
				if n, err := s.write(last, conn); n == 0 || err != nil {
					return err
				}
			}
		case <-s.feed.Ready():
		}
		// What has begun is ended: half of an exchange would have to be sent again.
		whole, stop := context.WithTimeout(context.WithoutCancel(ctx), timeout)
		_, err := s.write(whole, conn)
		stop()
		if err != nil && !refusal(err) {
			return err
		}
		if s.setLive(true, err); err != nil {
			pause(ctx, s.pace.refused)
		}
	}
}

// one is a binding on its way.
type one struct {
	b   *location.Binding
	cmd *redis.Cmd
}

// write sends one batch and returns how many. What it could not write is owed again.
func (s *Share) write(ctx context.Context, conn *redis.Conn) (int, error) {
	batch := s.feed.Take(nil, writePage)
	if len(batch) == 0 {
		return 0, nil
	}
	p := conn.Pipeline()
	var sent []one
	for _, b := range batch {
		if cmd := s.send(ctx, p, b, false); cmd != nil {
			sent = append(sent, one{b, cmd})
		}
	}
	if len(sent) == 0 {
		return len(batch), nil
	}
	p.Exec(ctx) // each command has its own error
	var failed error
	for _, o := range sent {
		if err := s.sent(ctx, conn, o); err != nil {
			s.feed.Owe(o.b.ID)
			failed = worse(failed, err)
		}
	}
	if redis.HasErrorPrefix(failed, "NOSCRIPT") { // a Redis that was emptied of scripts
		failed = writeScript.Load(ctx, conn).Err()
	}
	return len(batch), failed
}

// worse prefers an error that ends the session.
func worse(a, b error) error {
	if a == nil || refusal(a) {
		return b
	}
	return a
}

// send puts one record into the pipeline; nil if it is not worth sending.
func (s *Share) send(ctx context.Context, p redis.Cmdable, b *location.Binding, force bool) *redis.Cmd {
	left := location.Gone(b).Sub(s.table.Now())
	if left <= 0 {
		return nil
	}
	raw, err := location.AppendRecord(nil, b)
	if err != nil {
		s.dropped.Add(1)
		return nil
	}
	forced := "0"
	if force {
		forced = "1"
	}
	return p.EvalSha(ctx, writeScript.Hash(), []string{s.key.binding(b.ID), s.key.ids(), s.key.news()},
		b.ID.String(), raw, max(left.Milliseconds(), 1), b.Stamp, b.Holds[0].Stamp, b.Holds[1].Stamp,
		s.writer, forced, location.MaxRecord, newsKept)
}

// sent looks at the answer to one record.
func (s *Share) sent(ctx context.Context, conn *redis.Conn, o one) error {
	answer, err := o.cmd.StringSlice()
	if err != nil {
		return err
	}
	if len(answer) != 3 || answer[1] != o.b.ID.String() {
		return errSwapped
	}
	switch answer[0] {
	case "ok":
		s.published.Add(1)
		return nil
	case "same":
		return nil
	case "newer":
		old, err := s.parse(answer[2])
		if err == nil && old.ID == o.b.ID {
			s.take(old)
			s.feed.Owe(o.b.ID)
			return nil
		}
		// It only looks like a record.
		s.foreign.Add(1)
		if cmd := s.send(ctx, conn, o.b, true); cmd != nil {
			return s.sent(ctx, conn, one{o.b, cmd})
		}
		return nil
	}
	return fmt.Errorf("%w: %.40q", errSwapped, answer[0])
}

var errSwapped = errors.New("the reply is not an answer to what was asked")
