package transport

import (
	"sync"
	"time"
)

const maxFailures = 64 << 10 // failures waiting to be told

// failures tell the handler what did not reach a connection. They are told by one goroutine because they are noticed
// under locks that the handler takes. Invariant: add never waits; when the list is full the newest is lost and counted, and
// that message ends by its transaction's timer.
type failures struct {
	stats *Stats
	wake  chan struct{} // holds one: there is something in list

	mu   sync.Mutex // guards list
	list []failure
}

type failure struct {
	to  Peer
	tag uint64
	err error
}

func newFailures(s *Stats) *failures { return &failures{stats: s, wake: make(chan struct{}, 1)} }

func (f *failures) add(to Peer, tag uint64, err error) {
	f.mu.Lock()
	full := len(f.list) >= maxFailures
	if !full {
		f.list = append(f.list, failure{to, tag, err})
	}
	f.mu.Unlock()
	if full {
		f.stats.add(FailuresLost, 1)
		return
	}
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// tellFailures runs until the transport stops.
func (t *Transport) tellFailures() {
	f, out := t.failures, t.NewOut()
	var list []failure
	for {
		select {
		case <-f.wake:
		case <-t.dials.Done():
			return
		}
		f.mu.Lock()
		list, f.list = f.list, list[:0]
		f.mu.Unlock()
		for _, e := range list {
			if t.handler.Failed != nil {
				out.Step()
				t.handler.Failed(time.Now().UnixNano(), e.to, e.tag, e.err, out)
			}
		}
		out.Flush()
		if cap(list) > 1024 {
			list = nil
		}
		clear(list)
	}
}
