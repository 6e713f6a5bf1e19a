package main

import (
	"strings"
	"testing"

	"github.com/hotcut/hotcut/proxy/callrecord"
)

func TestSoundColumns(t *testing.T) {
	good := callrecord.MediaLeg{Codec: "PCMU", Packets: 500, Loss: 0.04, Jitter: 1.2, MOS: 4.41, Assumed: "delay 20ms"}
	bad := callrecord.MediaLeg{Codec: "PCMU", Packets: 480, Loss: 4.2, Jitter: 31, MaxJitter: 60, MOS: 3.2}
	for _, c := range []struct {
		m    *callrecord.Media
		want string
	}{
		{nil, "- - - -"},
		{&callrecord.Media{}, "silent - - -"},
		{&callrecord.Media{Outside: good, Inside: good}, "PCMU 0.0% 1ms 4.4"},
		{&callrecord.Media{Outside: good, Inside: bad}, "PCMU 4.2% 31ms 3.2"},
		{&callrecord.Media{Outside: bad, Inside: good}, "PCMU 4.2% 31ms 3.2"},
		{&callrecord.Media{Inside: good}, "PCMU one-way 0.0% 1ms 4.4"},
		{&callrecord.Media{Inside: callrecord.MediaLeg{Packets: 3}, Outside: callrecord.MediaLeg{Packets: 1}}, "- 0.0% 0ms -"},
	} {
		if got := strings.ReplaceAll(soundColumns(c.m), "\t", " "); got != c.want {
			t.Errorf("%+v: %q, want %q", c.m, got, c.want)
		}
	}
	got := strings.Join(soundLines(&callrecord.Media{Outside: good, Events: []string{"one_way inside"}}), "\n")
	want := "media from outside: PCMU   500 packets   loss 0.0%   jitter 1ms (up to 0ms)   MOS 4.4 (assumed: delay 20ms)\nmedia from inside: nothing was heard\nmedia events: one_way inside"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
