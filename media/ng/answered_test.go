package ng

import (
	"net/netip"
	"strconv"
	"testing"
	"time"
)

func TestAnsweredAges(t *testing.T) {
	var a answered
	start := time.Unix(1700000000, 0)
	k := answerKey{netip.MustParseAddrPort("127.0.0.1:1"), "c"}
	other := answerKey{netip.MustParseAddrPort("127.0.0.1:2"), "c"}
	if _, found := a.find(k, start); found {
		t.Error("found before it was kept")
	}
	a.keep(k, []byte("x"), start)
	for _, c := range []struct {
		after time.Duration
		found bool
	}{{0, true}, {answersAge - 1, true}, {answersAge, true}, {2*answersAge - 1, true}, {2 * answersAge, false}} {
		if _, found := a.find(k, start.Add(c.after)); found != c.found {
			t.Errorf("after %v: found %v", c.after, found)
		}
		if _, found := a.find(other, start.Add(c.after)); found {
			t.Error("another source has this cookie too")
		}
	}
	// After a long silence even the younger generation is too old.
	a.keep(k, []byte("x"), start)
	if _, found := a.find(k, start.Add(time.Hour)); found {
		t.Error("found after an hour")
	}
}

func TestAnsweredIsBounded(t *testing.T) {
	var a answered
	now := time.Unix(1700000000, 0)
	key := func(i int) answerKey { return answerKey{netip.MustParseAddrPort("127.0.0.1:1"), strconv.Itoa(i)} }
	for i := range 5 * answersKept {
		a.keep(key(i), nil, now)
	}
	if n := len(a.young) + len(a.old); n > 2*answersKept {
		t.Errorf("%d answers", n)
	}
	if _, found := a.find(key(5*answersKept-1), now); !found {
		t.Error("the newest is gone")
	}
	big := make([]byte, MaxMessage)
	for i := range 2000 {
		a.keep(key(i), big, now)
		if a.bytes > answersBytes {
			t.Fatalf("%d bytes in one generation", a.bytes)
		}
	}
}
