package lab

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Bounds of a journal: the lab's own story makes a few hundred calls.
const (
	journalCalls    = 8192 // Call-IDs; the oldest goes
	journalMessages = 64   // per Call-ID; later ones are not kept
)

// Heard is one request that reached a switch or a phone.
type Heard struct {
	Method string
	CSeq   uint32
	From   string // address it came from
	At     time.Time
}

// Journal is what one peer received, per Call-ID, in order of arrival.
type Journal struct {
	mu      sync.Mutex
	calls   map[string][]Heard
	order   []string      // Call-IDs, oldest first
	changed chan struct{} // closed and replaced at every entry
}

func newJournal() *Journal {
	return &Journal{calls: make(map[string][]Heard), changed: make(chan struct{})}
}

func (j *Journal) add(callID string, h Heard) {
	j.mu.Lock()
	defer j.mu.Unlock()
	heard, known := j.calls[callID]
	if !known {
		if len(j.order) == journalCalls {
			delete(j.calls, j.order[0])
			j.order = j.order[1:]
		}
		j.order = append(j.order, callID)
	}
	if len(heard) < journalMessages {
		j.calls[callID] = append(heard, h)
	}
	close(j.changed)
	j.changed = make(chan struct{})
}

// Of returns what was heard of a call, in order of arrival; nil if nothing was.
func (j *Journal) Of(callID string) []Heard {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.calls[callID])
}

// Calls returns the Call-IDs that were heard, oldest first.
func (j *Journal) Calls() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.order)
}

// Count returns how many requests of method were heard of a call.
func (j *Journal) Count(callID, method string) int {
	n := 0
	for _, h := range j.Of(callID) {
		if h.Method == method {
			n++
		}
	}
	return n
}

// Await returns when a request of method was heard of a call; an error names what was heard until ctx ended.
func (j *Journal) Await(ctx context.Context, callID, method string) error {
	for {
		j.mu.Lock()
		heard, changed := j.calls[callID], j.changed
		j.mu.Unlock()
		if slices.ContainsFunc(heard, func(h Heard) bool { return h.Method == method }) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("no %s arrived, only %v: %w", method, methods(j.Of(callID)), context.Cause(ctx))
		}
	}
}

func methods(heard []Heard) []string {
	names := make([]string, len(heard))
	for i, h := range heard {
		names[i] = h.Method
	}
	return names
}
