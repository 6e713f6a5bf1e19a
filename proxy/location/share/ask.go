package share

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hotcut/hotcut/proxy/location"
)

// askRoom is how many questions wait for Redis. More than that can not be answered in time anyway.
const askRoom = 1024

// ask is one question.
type ask struct {
	id   location.ID
	by   time.Time
	done func(*location.Binding)
}

// askQueue holds questions until a worker has time. Who asks may hold a lock that done takes, so done never runs on the
// goroutine of Ask: what finds the queue full goes to a list that one worker only clears. That list is as long as its
// askers have calls waiting, which they bound.
type askQueue struct {
	waiting chan ask
	full    chan struct{} // refused has something

	mu      sync.Mutex // guards running and refused, and sends to waiting
	running bool
	refused []ask

	asked, shed, late atomic.Uint64
}

func newAskQueue() askQueue {
	return askQueue{waiting: make(chan ask, askRoom), full: make(chan struct{}, 1)}
}

// Ask asks Redis for a binding that the table does not have, and calls done on another goroutine, once: with what is
// known then, nil if nothing is. The answer is Learn-ed first. It never waits: done comes within 50 ms, at once if Redis
// is away or too many are asking.
func (s *Share) Ask(id location.ID, done func(*location.Binding)) {
	a := ask{id, time.Now().Add(s.pace.budget), done}
	q := &s.asks
	q.asked.Add(1)
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.running {
		q.shed.Add(1)
		go s.tell(a)
		return
	}
	select {
	case q.waiting <- a:
	default:
		q.shed.Add(1)
		q.refused = append(q.refused, a)
		select {
		case q.full <- struct{}{}:
		default:
		}
	}
}

func (q *askQueue) open() {
	q.mu.Lock()
	q.running = true
	q.mu.Unlock()
}

// close tells whoever still waits.
func (q *askQueue) close(tell func(ask)) {
	q.mu.Lock()
	q.running = false
	rest := q.refused
	q.refused = nil
	q.mu.Unlock()
	for _, a := range rest {
		tell(a)
	}
	for {
		select {
		case a := <-q.waiting:
			tell(a)
		default:
			return
		}
	}
}

func (s *Share) tell(a ask) { a.done(s.table.Get(a.id)) }

func (s *Share) answer(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case a := <-s.asks.waiting:
			s.look(ctx, a)
			s.tell(a)
		}
	}
}

// look asks Redis, if there is time left.
func (s *Share) look(ctx context.Context, a ask) {
	switch {
	case !s.isLive():
		s.asks.shed.Add(1)
		return
	case !time.Now().Before(a.by):
		s.asks.late.Add(1)
		return
	}
	ctx, stop := context.WithDeadline(ctx, a.by)
	defer stop()
	raw, err := s.client.GetRange(ctx, s.key.binding(a.id), 0, location.MaxRecord).Result()
	switch {
	case refusal(err):
		s.foreign.Add(1)
	case err != nil:
		s.asks.late.Add(1)
	case raw != "":
		s.learn(raw, a.id)
	}
}

func (s *Share) answerShed(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.asks.full:
		}
		s.asks.mu.Lock()
		rest := s.asks.refused
		s.asks.refused = nil
		s.asks.mu.Unlock()
		for _, a := range rest {
			s.tell(a)
		}
	}
}
