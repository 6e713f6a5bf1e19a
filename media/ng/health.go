package ng

import (
	"sync"
	"time"
)

// health is what is known of one server. A server is healthy until it has not answered Misses times in a row, or its port was
// refused; one answer of any kind makes it healthy again.
type health struct {
	limit int // misses

	mu      sync.Mutex // guards the rest
	misses  int
	refused bool
	rtt     time.Duration // of the last ping
}

func (h *health) up() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.refused && h.misses < h.limit
}

func (h *health) answered() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.misses, h.refused = 0, false
}

func (h *health) missed() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.misses = min(h.misses+1, 1<<20)
}

func (h *health) refuse() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refused = true
}

func (h *health) pinged(rtt time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rtt = rtt
}
