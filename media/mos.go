package media

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// impairment is what a codec costs by itself and how it stands loss: ITU-T G.113 Appendix I.
type impairment struct {
	ie  float64 // equipment impairment
	bpl float64 // packet-loss robustness, with concealment
}

// Codecs of which G.113 gives both values for random loss and narrow band. No other gets a MOS: a guess would be
// compared with a measurement.
var impairments = map[string]impairment{
	"PCMU": {0, 25.1},
	"PCMA": {0, 25.1},
	"G729": {11, 19},
}

const (
	mosPackets = 100                   // fewer are no evidence: two seconds of speech
	packetTime = 20 * time.Millisecond // assumed where nothing says better
)

// MOS is an estimate of how the speech of a party is heard, by the E-model (ITU-T G.107) with default values for all that
// a relay can not know.
type MOS struct {
	Known   bool    // false: no evidence, or no model of the codec; the rest is zero
	Score   float64 // 1 to 4.5
	R       float64 // transmission rating
	Loss    float64 // packet loss, per cent
	BurstR  float64 // 1 for random loss, more for loss in runs
	Delay   time.Duration
	Assumed string // what was not measured
}

// rating is the E-model with d in milliseconds and ppl in per cent.
func rating(d, ppl, burstR float64, c impairment) float64 {
	id := 0.024 * d
	if d > 177.3 {
		id += 0.11 * (d - 177.3)
	}
	ieEff := c.ie
	if ppl > 0 {
		ieEff += (95 - c.ie) * ppl / (ppl/burstR + c.bpl)
	}
	return 93.2 - id - ieEff
}

// score turns a rating into a mean opinion score (G.107 Annex B).
func score(r float64) float64 {
	switch {
	case r <= 0:
		return 1
	case r >= 100:
		return 4.5
	}
	return max(1, 1+0.035*r+r*(r-60)*(100-r)*7e-6)
}

// mos rates what a party sends, as it arrives here.
func (t *stream) mos(far *farView) MOS {
	want, lost := t.expected(), max(0, t.lost())
	c, known := impairments[strings.ToUpper(t.codec.Name)]
	if !known || want < mosPackets {
		return MOS{}
	}
	m := MOS{Known: true, Loss: 100 * float64(lost) / float64(want), BurstR: 1}
	if t.gaps > 0 && lost > 0 {
		// Mean run of lost packets over the mean run that loss of this size would have if it were random.
		m.BurstR = max(1, float64(t.gapTotal)/float64(t.gaps)*(1-m.Loss/100))
	}
	buffer := 2 * t.units(t.jitter>>4)
	m.Delay = packetTime + buffer
	assumed := []string{fmt.Sprintf("%s with concealment, 20 ms packets, play-out buffer of twice the jitter (%.1f ms)", t.codec.Name, ms(buffer))}
	if far.trips > 0 {
		m.Delay += far.tripSum / time.Duration(far.trips) / 2
		assumed = append(assumed, "half the measured round trip each way")
	} else {
		assumed = append(assumed, "no network delay (none measured)")
	}
	assumed = append(assumed, "no echo, no delay beyond the relay")
	m.R = rating(ms(m.Delay), m.Loss, m.BurstR, c)
	m.Score = math.Round(score(m.R)*100) / 100
	m.Assumed = strings.Join(assumed, "; ")
	return m
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
