package transport

import (
	"bufio"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestMarksOfABusyQueueAreBounded(t *testing.T) {
	tr := start(t, nil, Handler{}, Limits{})
	c := tr.newConn(Peer{Proto: TCP, Conn: 1})
	for i := range uint64(10_000) {
		if !c.enqueue([]byte("12345678"), i, false) {
			t.Fatal("refused")
		}
		if i > 0 {
			c.wrote(8) // one message stays behind
		}
	}
	if n := cap(c.marks); n > 4*keptMarks {
		t.Errorf("%d marks are held for one message", n)
	}
	if m := c.marks[c.head]; m.tag != 9_999 {
		t.Errorf("the message that waits is %d", m.tag)
	}
}

func TestSlowReaderIsCutOff(t *testing.T) {
	fails := make(chan failed, 10_000)
	from := make(chan Peer, 1)
	refused := make(chan string, 1)
	tr := start(t, []Spec{tcpSpec("127.0.0.1:0")}, Handler{
		Message: func(_ int64, p Peer, _ []byte, _ *Out) { from <- p },
		Failed:  failuresTo(fails),
		Refused: func(reason string, _ netip.AddrPort) { refused <- reason },
	}, Limits{})
	c := dialTo(t, tr.Addr(0))
	write(t, c, sip("hello"))
	peer := event(t, from)
	out := tr.NewOut()
	msg := sip(strings.Repeat("z", 8<<10))
	tag := uint64(0)
	for len(fails) == 0 && tag < 9_000 {
		tag++
		out.End(peer, append(out.Begin(), msg...), tag)
		out.Flush()
	}
	if r := event(t, refused); r != SlowReader.String() {
		t.Errorf("refused for %q", r)
	}
	var tags, after []uint64 // what was queued, and what came when the connection was dead: that may be told first
	for len(tags) == 0 || tags[len(tags)-1]+uint64(len(after)) != tag {
		switch f := event(t, fails); {
		case f.to == peer && errors.Is(f.err, ErrSlowReader):
			tags = append(tags, f.tag)
		case f.to == peer && errors.Is(f.err, ErrNoConnection):
			after = append(after, f.tag)
		default:
			t.Fatalf("told %+v", f)
		}
	}
	tags = append(tags, after...)
	if !slices.IsSorted(tags) || uint64(len(tags)) != tag-tags[0]+1 {
		t.Errorf("tags %d to %d of %d are no tail without gap", tags[0], tags[len(tags)-1], tag)
	}
	if queued := (len(tags) + 1) * len(msg); queued < 256<<10 {
		t.Errorf("cut off with %d bytes queued", queued)
	}
}

func TestLateReaderGetsEverything(t *testing.T) {
	from := make(chan Peer, 1)
	fails := make(chan failed, 1000)
	tr := start(t, []Spec{tcpSpec("127.0.0.1:0")}, Handler{
		Message: func(_ int64, p Peer, _ []byte, _ *Out) { from <- p },
		Failed:  failuresTo(fails),
	}, Limits{Queue: 64 << 20})
	c := dialTo(t, tr.Addr(0))
	write(t, c, sip("hello"))
	peer := event(t, from)
	const many = 1200
	pad := strings.Repeat("p", 10_000)
	var wg sync.WaitGroup
	for part := range 2 { // two goroutines with an Out each
		wg.Go(func() {
			out := tr.NewOut()
			for i := range many / 2 {
				out.End(peer, append(out.Begin(), sip(fmt.Sprint(part, " ", i, " ", pad))...), 1)
				if i%7 == 0 {
					out.Flush()
				}
			}
			out.Flush()
		})
	}
	wg.Wait()
	r := bufio.NewReader(c)
	var next [2]int
	for range many {
		var part, i int
		b := readBody(t, r)
		if _, err := fmt.Sscanf(b, "%d %d", &part, &i); err != nil || i != next[part] || !strings.HasSuffix(b, pad) {
			t.Fatalf("got %.20q, want message %d of goroutine %d", b, next[part], part)
		}
		next[part]++
	}
	if len(fails) != 0 {
		t.Errorf("%d messages were told as failed", len(fails))
	}
}

func TestPeerThatTakesNothingTimesOut(t *testing.T) {
	from := make(chan Peer, 1)
	closed := make(chan Peer, 1)
	fails := make(chan failed, 10_000)
	tr := start(t, []Spec{tcpSpec("127.0.0.1:0")}, Handler{
		Message: func(_ int64, p Peer, _ []byte, _ *Out) { from <- p },
		Closed:  func(_ int64, p Peer, _ func(uint64) bool, _ *Out) { closed <- p },
		Failed:  failuresTo(fails),
	}, Limits{Queue: 64 << 20, Write: 100 * time.Millisecond})
	c := dialTo(t, tr.Addr(0))
	write(t, c, sip("hello"))
	peer := event(t, from)
	out := tr.NewOut()
	for range 1000 {
		out.End(peer, append(out.Begin(), sip(strings.Repeat("z", 15_000))...), 5)
	}
	out.Flush()
	event(t, closed)
	if f := event(t, fails); f.to != peer || f.tag != 5 {
		t.Errorf("told %+v", f)
	}
	if n := tr.Stats().Count(WriteTimeout); n != 1 {
		t.Errorf("counted %d write timeouts", n)
	}
}
