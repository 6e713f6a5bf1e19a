package media

import "time"

const (
	maxDropout  = 3000 // RFC 3550 A.1
	maxMisorder = 100  // RFC 3550 A.1

	// A timestamp that leaps by more than this against the clock was re-based by its sender (a switch that bridges another
	// call to the same SSRC); taken as jitter it would be remembered for a hundred packets.
	maxTransitStep = 3 * time.Second
)

// stream counts what one party sends, as RFC 3550 appendix A does. Only the session's thread touches it.
type stream struct {
	packets, bytes uint64
	fax            uint64 // of packets, those that were UDPTL

	// The SSRC in hand. A restart (a new SSRC, or a leap of the sequence) adds it to the past.
	begun     bool
	ssrc      uint32
	baseSeq   uint32
	cycles    uint32 // wraps of the sequence number, times 65536
	badSeq    uint32 // the number that would confirm a leap; over 16 bits: none
	maxSeq    uint16
	received  uint64
	pastWant  uint64
	pastHave  uint64
	changes   uint32 // of SSRC
	restarts  uint32 // leaps within one SSRC
	late      uint64 // out of order
	gaps      uint64 // runs of missing numbers
	gapTotal  uint64 // numbers in those runs
	gapMax    uint16
	silence   time.Duration // longest time between two packets
	first     time.Duration
	last      time.Duration
	lastEvent uint32 // timestamp of the newest telephone event
	events    uint32
	eventSeen bool
	comfort   uint64

	payload     Payload // meaning of the newest packet's type
	described   bool
	codec       Payload // the newest type that was speech
	transit     uint32
	haveTransit bool
	jitter      uint32 // 16 times the estimate, in timestamp units, as A.8 computes it
	jitterMax   uint32
}

// rtp counts one packet of the party.
func (t *stream) rtp(h *rtpHeader, size int, now time.Duration, own, other []Payload) {
	t.count(size, now)
	if !t.sequence(h) {
		return
	}
	if !t.described || t.payload.Type != h.payloadType {
		rate := t.payload.ClockRate
		t.payload, t.described = describe(h.payloadType, own, other), true
		if rate != t.payload.ClockRate {
			t.haveTransit = false
		}
	}
	switch {
	case t.payload.isEvent():
		if !t.eventSeen || t.lastEvent != h.timestamp {
			t.events++
		}
		t.eventSeen, t.lastEvent = true, h.timestamp
	case t.payload.isComfortNoise():
		t.comfort++
	default:
		t.codec = t.payload
		t.interval(h.timestamp, now)
	}
}

// udptl counts one fax packet.
func (t *stream) udptl(size int, now time.Duration) {
	t.count(size, now)
	t.fax++
}

// count takes what every packet has: a size and a time.
func (t *stream) count(size int, now time.Duration) {
	if t.packets == 0 {
		t.first = now
	} else if pause := now - t.last; pause > t.silence {
		t.silence = pause
	}
	t.last = now
	t.packets++
	t.bytes += uint64(size)
}

// sequence follows the sequence number (A.1, without probation: the latch has proved the source). It returns false for a
// packet whose number makes no sense yet.
func (t *stream) sequence(h *rtpHeader) bool {
	if !t.begun || h.ssrc != t.ssrc {
		if t.begun {
			t.changes++
		}
		t.begin(h)
		return true
	}
	switch delta := h.seq - t.maxSeq; {
	case delta < maxDropout:
		if h.seq < t.maxSeq {
			t.cycles += 1 << 16
		}
		if delta > 1 {
			t.gaps++
			t.gapTotal += uint64(delta - 1)
			t.gapMax = max(t.gapMax, delta-1)
		}
		t.maxSeq = h.seq
	case delta <= 65535-maxMisorder:
		if uint32(h.seq) != t.badSeq {
			t.badSeq = uint32(h.seq + 1)
			return false
		}
		t.restarts++
		t.begin(h)
		return true
	default:
		t.late++
	}
	t.received++
	return true
}

// begin starts to count anew, keeping what was counted.
func (t *stream) begin(h *rtpHeader) {
	if t.begun {
		t.pastWant += t.expectedNow()
		t.pastHave += t.received
	}
	t.begun, t.ssrc = true, h.ssrc
	t.baseSeq, t.maxSeq, t.cycles, t.badSeq, t.received = uint32(h.seq), h.seq, 0, 1<<16, 1
	t.haveTransit = false
}

func (t *stream) expectedNow() uint64 {
	return uint64(t.cycles+uint32(t.maxSeq)) - uint64(t.baseSeq) + 1
}

// expected is how many packets the party sent, by its sequence numbers (A.3).
func (t *stream) expected() uint64 {
	if !t.begun {
		return 0
	}
	return t.pastWant + t.expectedNow()
}

// lost is expected minus received. Duplicates make it smaller, even negative, as A.3 says.
func (t *stream) lost() int64 { return int64(t.expected()) - int64(t.pastHave+t.received) }

// interval estimates the interarrival jitter (A.8, the integer form). Telephone events repeat a timestamp and comfort
// noise comes at will: neither gets here.
func (t *stream) interval(timestamp uint32, now time.Duration) {
	rate := t.payload.ClockRate
	if rate == 0 {
		return
	}
	arrival := uint32(int64(now/time.Microsecond) * int64(rate) / 1_000_000)
	transit := arrival - timestamp
	d := int32(transit - t.transit)
	known := t.haveTransit
	t.transit, t.haveTransit = transit, true
	if !known {
		return
	}
	if d < 0 {
		d = -d
	}
	if d < 0 || int64(d) > int64(rate)*int64(maxTransitStep/time.Second) {
		return
	}
	t.jitter += uint32(d) - (t.jitter+8)>>4
	t.jitterMax = max(t.jitterMax, t.jitter)
}

// units turns timestamp units into time.
func (t *stream) units(n uint32) time.Duration {
	if t.codec.ClockRate == 0 {
		return 0
	}
	return time.Duration(n) * time.Second / time.Duration(t.codec.ClockRate)
}
