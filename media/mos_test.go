package media

import (
	"math"
	"strings"
	"testing"
	"time"
)

// Points worked by hand from the formulas of G.107 as the package comment has them:
//
//	R = 93.2 - 0.024 d - 0.11 (d - 177.3) [d > 177.3] - (Ie + (95 - Ie) P / (P / B + Bpl))
//	MOS = 1 + 0.035 R + R (R - 60) (100 - R) 7e-6
func TestMOSByHand(t *testing.T) {
	for _, c := range []struct {
		codec  string
		d      float64 // ms
		ppl    float64 // per cent
		burst  float64
		r, mos float64
	}{
		{"PCMU", 0, 0, 1, 93.2, 4.41},       // the default of the model
		{"PCMA", 100, 0, 1, 90.8, 4.36},     // Id 2.4
		{"PCMU", 177.3, 0, 1, 88.945, 4.31}, // Id 4.2552
		{"PCMU", 200, 0, 1, 85.903, 4.23},   // Id 4.8 + 2.497
		{"PCMU", 400, 0, 1, 59.103, 3.05},   // Id 9.6 + 24.497
		{"PCMA", 0, 1, 1, 89.56, 4.33},      // 95/26.1 = 3.640
		{"PCMA", 0, 5, 1, 77.419, 3.92},     // 475/30.1 = 15.781
		{"PCMA", 0, 5, 2, 75.99, 3.86},      // 475/27.6 = 17.210
		{"PCMU", 50, 10, 1, 64.935, 3.35},   // 1.2 + 950/35.1 = 27.066
		{"G729", 0, 0, 1, 82.2, 4.11},       // Ie 11
		{"G729", 0, 2, 1, 74.2, 3.79},       // 11 + 168/21 = 19
		{"G729", 150, 5, 1, 61.1, 3.16},     // 3.6 + 11 + 420/24 = 17.5 -> 28.5
		{"PCMU", 1000, 50, 1, -84.495, 1},   // Id 24 + 90.497; 4750/75.1 = 63.249
	} {
		r := rating(c.d, c.ppl, c.burst, impairments[c.codec])
		if math.Abs(r-c.r) > 0.06 {
			t.Errorf("%+v: R %.3f", c, r)
		}
		if m := score(r); math.Abs(m-c.mos) > 0.006 {
			t.Errorf("%+v: MOS %.3f", c, m)
		}
	}
	if score(100) != 4.5 || score(120) != 4.5 || score(0) != 1 || score(2) < 1 {
		t.Error("outside the model's range")
	}
}

// No MOS without evidence, none for a codec that has no published values, and never without what it assumes.
func TestMOSNeedsEvidence(t *testing.T) {
	send := func(n int, pt uint8) *stream {
		var s stream
		for i := range n {
			h := rtpHeader{seq: uint16(i), ssrc: 7, timestamp: uint32(i) * 160, payloadType: pt}
			s.rtp(&h, 172, time.Duration(i)*20*time.Millisecond, nil, nil)
		}
		return &s
	}
	for name, s := range map[string]*stream{"nothing": {}, "two seconds less a packet": send(99, 0), "G.722": send(500, 9), "unknown": send(500, 99)} {
		if m := s.mos(&farView{}); m != (MOS{}) {
			t.Errorf("%s: %+v", name, m)
		}
	}
	m := send(100, 8).mos(&farView{})
	if !m.Known || m.Score != 4.40 || m.Delay != 20*time.Millisecond || !strings.Contains(m.Assumed, "none measured") {
		t.Errorf("%+v", m)
	}
	m = send(100, 8).mos(&farView{trips: 2, tripSum: 160 * time.Millisecond})
	if m.Delay != 60*time.Millisecond || strings.Contains(m.Assumed, "none measured") {
		t.Errorf("%+v", m)
	}
}

// Every tenth packet lost at random, and the same loss in runs of five: runs are worse.
func TestBurstsAreWorse(t *testing.T) {
	rate := func(lost func(i int) bool) MOS {
		var s stream
		for i := range 1000 {
			if lost(i) {
				continue
			}
			h := rtpHeader{seq: uint16(i), ssrc: 7, timestamp: uint32(i) * 160}
			s.rtp(&h, 172, time.Duration(i)*20*time.Millisecond, nil, nil)
		}
		return s.mos(&farView{})
	}
	single := rate(func(i int) bool { return i%10 == 5 })
	runs := rate(func(i int) bool { return i%50 >= 20 && i%50 < 25 })
	if single.Loss != 10 || runs.Loss != 10 || single.BurstR != 1 || math.Abs(runs.BurstR-4.5) > 1e-9 || runs.Score >= single.Score {
		t.Errorf("single %+v, runs %+v", single, runs)
	}
}
