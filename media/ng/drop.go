package ng

import (
	"iter"
	"sync/atomic"
)

// A drop is why a datagram got no answer from the server.
type drop uint8

const (
	dropNone   drop = iota
	dropSource      // from an address that may not command
	dropCookie      // no cookie: there is nothing to answer to
	dropSend        // the kernel did not take the answer
	numDrops
)

var dropLabels = [numDrops]string{
	dropNone:   "none",
	dropSource: "ng_source",
	dropCookie: "ng_cookie",
	dropSend:   "ng_send",
}

// counters of a Server; read by metrics while it runs.
type counters struct {
	commands atomic.Uint64 // answered, repetitions included
	repeated atomic.Uint64 // answered from memory
	refused  atomic.Uint64 // answered with an error
	drops    [numDrops]atomic.Uint64
}

// all yields each counter with its label.
func (c *counters) all() iter.Seq2[string, uint64] {
	return func(yield func(string, uint64) bool) {
		if !yield("commands", c.commands.Load()) || !yield("repeated", c.repeated.Load()) || !yield("refused", c.refused.Load()) {
			return
		}
		for d := dropNone + 1; d < numDrops; d++ {
			if !yield(dropLabels[d], c.drops[d].Load()) {
				return
			}
		}
	}
}
