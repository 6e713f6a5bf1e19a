package follow_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/policy/filestore"
	"github.com/hotcut/hotcut/policy/storetest"
)

// outage is a store that can go away, for everything or only for its stream, and counts how it is asked meanwhile.
type outage struct {
	*filestore.Store

	mu             sync.Mutex // guards what follows
	gone, deaf     bool
	cut            []context.CancelFunc // of the streams that are up
	heads, watches int                  // asked in vain, or while no stream was to be had
	streams        int                  // that are up
}

var errGone = fmt.Errorf("dial: %w", policy.ErrUnreachable)

// set makes the store gone or its stream deaf, and breaks the streams that are up.
func (o *outage) set(gone, deaf bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.gone, o.deaf, o.heads, o.watches = gone, deaf, 0, 0
	if gone || deaf {
		for _, cancel := range o.cut {
			cancel()
		}
		o.cut = nil
	}
}

func (o *outage) asked() (heads, watches, streams int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.heads, o.watches, o.streams
}

func (o *outage) Head(ctx context.Context) (policy.Head, error) {
	o.mu.Lock()
	gone := o.gone
	o.heads++
	o.mu.Unlock()
	if gone {
		return policy.Head{}, errGone
	}
	return o.Store.Head(ctx)
}

func (o *outage) Watch(ctx context.Context, f func(policy.Head)) error {
	o.mu.Lock()
	if o.gone || o.deaf {
		o.watches++
		o.mu.Unlock()
		return errGone
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	o.cut = append(o.cut, cancel)
	o.streams++
	o.mu.Unlock()
	err := o.Store.Watch(ctx, f)
	o.mu.Lock()
	o.streams--
	o.mu.Unlock()
	return err
}

func (o *outage) Report(ctx context.Context, n policy.NodeState) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.gone {
		return errGone
	}
	return o.Store.Report(ctx, n)
}

// startOutage runs an edge on a store that can go away, up to where both are at rev 1 and the stream is up.
func startOutage(t *testing.T) (*outage, *filestore.Store, *edge) {
	t.Helper()
	dir := t.TempDir()
	o, writer := &outage{Store: fileStore(t, filepath.Join(dir, "store"))}, fileStore(t, filepath.Join(dir, "store"))
	storetest.Seed(t, writer, 1)
	e := startEdge(t, o, t.TempDir())
	e.untilRev(t, 1)
	until(t, "the stream is up", func() bool { _, _, n := o.asked(); return n == 1 })
	return o, writer, e
}

// However long the store was away: what is committed when it is back is in force within the poll of that time, and so is
// what comes next, by the stream.
func TestBackAtOnceAfterAnOutage(t *testing.T) {
	const poll = 375 * time.Millisecond // 250 ms, give or take a half
	for _, away := range []time.Duration{time.Second, 7 * time.Second, time.Minute, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			o, writer, e := startOutage(t)
			o.set(true, false)
			time.Sleep(away)
			heads, watches, _ := o.asked()
			if least, most := int(away/poll), int(away/(poll/3))+1; heads < least || heads > most {
				t.Errorf("%d polls in %v, want %d to %d", heads, away, least, most)
			}
			if most := 6 + int(away/time.Second); watches > most {
				t.Errorf("%d streams tried in %v, want at most %d", watches, away, most)
			}
			h := edit(t, writer, 1, "n") // the store is about to be back, and holds a rollback
			o.set(false, false)
			back := time.Now()
			e.untilRev(t, h.Rev)
			if took := time.Since(back); took > poll+20*time.Millisecond {
				t.Errorf("after %v away the edge followed in %v", away, took)
			}
			until(t, "the stream is up", func() bool { _, _, n := o.asked(); return n == 1 })
			if took := time.Since(back); took > poll+40*time.Millisecond {
				t.Errorf("after %v away the stream came back in %v", away, took)
			}
			began := time.Now()
			h = edit(t, writer, 1, "m")
			e.untilRev(t, h.Rev)
			if took := time.Since(began); took > 100*time.Millisecond {
				t.Errorf("the stream brought the next rev in %v", took)
			}
			e.stop()
		})
	}
}

// A store that answers but refuses its stream is followed by the poll, and asked for the stream no oftener than ever.
func TestNoStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, writer, e := startOutage(t)
		o.set(false, true)
		time.Sleep(time.Minute)
		if _, watches, streams := o.asked(); watches < 20 || watches > 66 || streams != 0 {
			t.Errorf("%d streams tried in a minute", watches)
		}
		began := time.Now()
		h := edit(t, writer, 1, "n")
		e.untilRev(t, h.Rev)
		if took := time.Since(began); took > 400*time.Millisecond {
			t.Errorf("followed in %v", took)
		}
		e.stop()
	})
}
