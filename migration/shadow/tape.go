package shadow

import (
	"bytes"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/record"
)

// tape is the messages of one leg, of either side, within the bounds of an exchange and of the whole.
type tape struct {
	m      *machine
	msgs   []record.Message
	bytes  int64
	cut    string // why it is not whole: "memory", "messages"
	party  string
	target string
	held   time.Duration
	lone   bool // nothing on the other side explains this leg
	closed bool // it was handed over
}

// perMessage is what a kept message costs besides its bytes.
const perMessage = 64

// add keeps a copy of a message; at is when it came or went.
func (t *tape) add(at int64, up bool, raw []byte) {
	m := t.m
	switch {
	case raw == nil || t.closed:
		return
	case len(t.msgs) >= m.o.Messages:
		m.drop(DropMessages)
		t.cut = "messages"
		return
	case m.bytes+int64(len(raw))+perMessage > m.o.Memory:
		m.drop(DropMemory)
		t.cut = "memory"
		return
	}
	n := int64(len(raw)) + perMessage
	m.bytes += n
	t.bytes += n
	t.msgs = append(t.msgs, record.Message{At: at, Upstream: up, Raw: bytes.Clone(raw)})
}

// leg is what the tape shows.
func (t *tape) leg() record.Leg {
	return record.Leg{Party: t.party, Target: t.target, Held: t.held, Unexpected: t.lone, Messages: t.msgs}
}

// release gives the bytes back: whoever took the leg keeps them now.
func (t *tape) release() {
	t.m.bytes -= t.bytes
	t.bytes, t.msgs, t.closed = 0, nil, true
}
