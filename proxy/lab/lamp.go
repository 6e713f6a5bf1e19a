package lab

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Lamp is a busy lamp field key of a phone: it shows what another address-of-record does (Event: dialog, RFC 4235). Run
// keeps it subscribed.
type Lamp struct {
	phone   *Phone
	watched sip.Uri
	asks    time.Duration

	mu         sync.Mutex // guards what follows
	state      LampState
	version    int       // of the last word; -1: none of this subscription yet
	dialog     *dialog   // nil before the 2xx
	tag        string    // ours
	expires    time.Time // of the subscription, as the shorter of 2xx and NOTIFY says
	over       string    // why the subscription ended; empty while it lives
	subscribed int
	changed    chan struct{} // closed and replaced at every change
}

// NewLamp makes a key for aor that is not subscribed yet; asks is the expiry that it asks for.
func (p *Phone) NewLamp(aor string, asks time.Duration) (*Lamp, error) {
	u, err := parseURI(aor)
	if err != nil {
		return nil, err
	}
	return &Lamp{phone: p, watched: u, asks: asks, state: LampUnknown, version: -1, changed: make(chan struct{})}, nil
}

// State is what the lamp shows.
func (l *Lamp) State() LampState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

// Subscribed counts the dialogs that the lamp has made: one, until it had to begin anew.
func (l *Lamp) Subscribed() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.subscribed
}

// Await returns once the lamp shows want.
func (l *Lamp) Await(ctx context.Context, want LampState) error {
	return l.await(ctx, "shows "+string(want), func() bool { return l.state == want })
}

// AwaitSubscribed returns once the lamp has made n dialogs and shows something.
func (l *Lamp) AwaitSubscribed(ctx context.Context, n int) error {
	return l.await(ctx, fmt.Sprintf("has subscribed %d times", n), func() bool { return l.subscribed >= n && l.state != LampUnknown })
}

func (l *Lamp) await(ctx context.Context, what string, ok func() bool) error {
	for {
		l.mu.Lock()
		done, changed, state, n := ok(), l.changed, l.state, l.subscribed
		l.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("the lamp of %s for %s shows %s after %d subscriptions, and never %s: %w",
				l.phone.AOR(), keyOf(l.watched), state, n, what, context.Cause(ctx))
		}
	}
}

// set changes the lamp under its lock and wakes who waits.
func (l *Lamp) set(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
	close(l.changed)
	l.changed = make(chan struct{})
}
