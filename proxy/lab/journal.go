package lab

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
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
	URI    string // Request-URI
	Route  string // values of Route, if there are any
	From   string // address it came from

	Caller    string // user@host of the From header
	Diversion string // value of the header: who had forwarded the call
	At        time.Time
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
	return j.awaitCount(ctx, callID, method, 1)
}

func (j *Journal) awaitCount(ctx context.Context, callID, method string, n int) error {
	for {
		changed := j.news()
		if j.Count(callID, method) >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("no %s arrived, only %v: %w", method, methods(j.Of(callID)), context.Cause(ctx))
		}
	}
}

// AwaitAny returns when a request of method was heard of any call.
func (j *Journal) AwaitAny(ctx context.Context, method string) error {
	for {
		changed := j.news()
		for _, id := range j.Calls() {
			if j.Count(id, method) > 0 {
				return nil
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("no %s arrived in any of %d calls: %w", method, len(j.Calls()), context.Cause(ctx))
		}
	}
}

// Total counts the requests of method that were heard of all calls.
func (j *Journal) Total(method string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for _, heard := range j.calls {
		for _, h := range heard {
			if h.Method == method {
				n++
			}
		}
	}
	return n
}

// AwaitTotal returns when n requests of method were heard of all calls.
func (j *Journal) AwaitTotal(ctx context.Context, method string, n int) error {
	for {
		changed := j.news()
		total := j.Total(method)
		if total >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%d %s arrived, not %d: %w", total, method, n, context.Cause(ctx))
		}
	}
}

// AwaitACK returns when the last INVITE that was heard of a call has its ACK. The earlier ones of a call are those that were
// challenged; they have ACKs of their own.
func (j *Journal) AwaitACK(ctx context.Context, callID string) error {
	for {
		changed := j.news()
		heard := j.Of(callID)
		invite, ack := uint32(0), uint32(0)
		for _, h := range heard {
			switch h.Method {
			case "INVITE":
				invite = max(invite, h.CSeq)
			case "ACK":
				ack = max(ack, h.CSeq)
			}
		}
		if invite > 0 && ack >= invite {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("no ACK of the last INVITE arrived, only %v: %w", methods(heard), context.Cause(ctx))
		}
	}
}

// news is closed at the next entry.
func (j *Journal) news() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.changed
}

// hear notes a request.
func (j *Journal) hear(req *sip.Request) {
	var routes []string
	for _, h := range req.GetHeaders("Route") {
		routes = append(routes, h.Value())
	}
	h := Heard{
		Method: req.Method.String(), CSeq: req.CSeq().SeqNo, URI: req.Recipient.String(), Route: strings.Join(routes, ", "),
		From: req.Source(), At: time.Now(), Caller: req.From().Address.User + "@" + req.From().Address.Host,
	}
	if d := req.GetHeader("Diversion"); d != nil {
		h.Diversion = d.Value()
	}
	j.add(req.CallID().Value(), h)
}

func methods(heard []Heard) []string {
	names := make([]string, len(heard))
	for i, h := range heard {
		names[i] = h.Method
	}
	return names
}
