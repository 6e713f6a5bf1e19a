package main

import (
	"fmt"
	"strings"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/callrecord"
)

// soundColumns are CODEC, LOSS, JITTER and MOS of a living call: of the direction that sounds worse.
func soundColumns(m *callrecord.Media) string {
	if m == nil {
		return "-\t-\t-\t-"
	}
	x, heard := m.Worst()
	if !heard {
		return "silent\t-\t-\t-"
	}
	codec := dash(x.Codec)
	if m.Outside.Packets == 0 || m.Inside.Packets == 0 {
		codec += " one-way"
	}
	return fmt.Sprintf("%s\t%.1f%%\t%.0fms\t%s", codec, x.Loss, x.Jitter, mosWord(x.MOS))
}

func mosWord(score float64) string {
	if score == 0 { // no evidence
		return "-"
	}
	return fmt.Sprintf("%.1f", score)
}

// soundLines say how an ended call sounded, a line for each direction; none if it was not relayed.
func soundLines(m *callrecord.Media) (lines []string) {
	if m == nil {
		return nil
	}
	for _, l := range []struct {
		who string
		*callrecord.MediaLeg
	}{{"outside", &m.Outside}, {"inside", &m.Inside}} {
		if l.Packets == 0 {
			lines = append(lines, "media from "+l.who+": nothing was heard")
			continue
		}
		line := fmt.Sprintf("media from %s: %s   %d packets   loss %.1f%%   jitter %.0fms (up to %.0fms)   MOS %s", l.who, dash(l.Codec), l.Packets, l.Loss, l.Jitter, l.MaxJitter, mosWord(l.MOS))
		if l.Assumed != "" {
			line += " (assumed: " + l.Assumed + ")"
		}
		lines = append(lines, line)
	}
	if len(m.Events) > 0 {
		lines = append(lines, "media events: "+strings.Join(m.Events, ", "))
	}
	return lines
}

// mediaWords are what a tenant wants of the relay; empty: what all do.
func mediaWords(m policy.Media) string {
	var parts []string
	if m.Off() {
		parts = append(parts, "SDP passes untouched")
	}
	if m.Loose() {
		parts = append(parts, "media from any address")
	}
	if m.PassRefused() {
		parts = append(parts, "refused SDP passes as it came")
	}
	return strings.Join(parts, ", ")
}
