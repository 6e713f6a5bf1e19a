package main

import (
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/lab"
)

// labHold is a call with all that the story does to its audio.
func labHold(t *testing.T, s *labStory) {
	t.Helper()
	c, err := s.place("alice", "answer@acme.example", policy.Legacy, 200)
	if err != nil {
		t.Fatal(err)
	}
	since, _ := s.talks(c, labAudible)
	s.presses(c, "1984#")
	s.holdAndResume(c)
	s.unbroken(c, since, "nothing")
	if err := s.hangup(c, false); err != nil {
		t.Fatal(err)
	}
}

func TestLabIsContentWithUnbrokenAudio(t *testing.T) {
	s := labStage(t, toLegacy)
	var shown strings.Builder
	s.out = &shown
	labHold(t, s)
	if err := s.verdict(); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"audio at 127.0.1.5:", "before, during and after nothing", " 0 lost\n", "presses 1984#, and legacy hears it"} {
		if !strings.Contains(shown.String(), want) {
			t.Errorf("the story does not say %q:\n%s", want, shown.String())
		}
	}
}

// A packet that is lost makes the lab fail, in either direction, and it is named.
func TestLabNoticesLostAudio(t *testing.T) {
	for _, outbound := range []bool{true, false} {
		way := map[bool]string{true: "alice@acme.example -> legacy", false: "legacy -> alice@acme.example"}[outbound]
		t.Run(way, func(t *testing.T) {
			n := 0
			s := labStageLosing(t, func(_ []byte, out bool) bool {
				if out == outbound {
					n++
				}
				return out == outbound && n == 20
			}, toLegacy)
			c, err := s.place("alice", "answer@acme.example", policy.Legacy, 200)
			if err != nil {
				t.Fatal(err)
			}
			since, _ := s.talks(c, labAudible)
			s.talks(c, 20)
			s.unbroken(c, since, "a flip")
			if err := s.hangup(c, false); err != nil {
				t.Fatal(err)
			}
			err = s.verdict()
			if err == nil || !strings.Contains(err.Error(), "audio "+way+" lost 1 packet: [") || !strings.Contains(err.Error(), "heard a call with 1 packet lost [") {
				t.Errorf("verdict %v", err)
			}
		})
	}
}

func TestLabNoticesSilence(t *testing.T) {
	s := labStageLosing(t, func(_ []byte, outbound bool) bool { return !outbound }, toLegacy)
	c, err := s.place("alice", "answer@acme.example", policy.Legacy, 200)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := s.patience()
	defer cancel()
	if err := s.side(policy.Legacy).Voice(c.ID).Await(ctx, "audio", func(h lab.Audio) bool { return h.Packets > 50 }); err != nil {
		t.Fatal(err)
	}
	s.limit = 2 * time.Second // that nothing comes has no event
	if _, ok := s.talks(c, labAudible); ok {
		t.Error("a phone that hears nothing was content")
	}
	s.limit = 0
	if err := s.verdict(); err == nil || !strings.Contains(err.Error(), "to alice@acme.example, audio was not heard; heard were 0 packets") {
		t.Errorf("verdict %v", err)
	}
}

// What is lost while an edge is dead is excused, once and for that call only.
func TestLabExcusesOneGap(t *testing.T) {
	for _, gaps := range []int{1, 2} {
		n := 0
		s := labStageLosing(t, func(_ []byte, outbound bool) bool {
			if outbound {
				n++
			}
			return outbound && (n >= 20 && n < 25 || gaps == 2 && n == 27)
		}, toLegacy)
		c, err := s.place("alice", "answer@acme.example", policy.Legacy, 200)
		if err != nil {
			t.Fatal(err)
		}
		since, _ := s.talks(c, labAudible)
		s.talks(c, 25)
		s.silencedBy(c, since)
		if err := s.hangup(c, false); err != nil {
			t.Fatal(err)
		}
		err = s.verdict()
		if gaps == 1 && err != nil {
			t.Error(err)
		}
		if gaps == 2 && (err == nil || !strings.Contains(err.Error(), "one gap was to be expected")) {
			t.Errorf("verdict %v", err)
		}
	}
}
