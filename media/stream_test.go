package media

import (
	"testing"
	"time"

	"github.com/pion/rtp"
)

// play feeds packets of 20 ms to a stream: sequence numbers in order of arrival.
func play(t *stream, ssrc uint32, seqs ...uint16) {
	for i, seq := range seqs {
		h := rtpHeader{seq: seq, ssrc: ssrc, timestamp: uint32(seq) * 160}
		t.rtp(&h, 172, time.Duration(i+1)*20*time.Millisecond, nil, nil)
	}
}

func TestLoss(t *testing.T) {
	for _, c := range []struct {
		name     string
		seqs     []uint16
		expected uint64
		lost     int64
		late     uint64
		gaps     uint64
		longest  uint16
	}{
		{"none", []uint16{1, 2, 3, 4}, 4, 0, 0, 0, 0},
		{"one", []uint16{1, 2, 4, 5}, 5, 1, 0, 1, 1},
		{"two runs", []uint16{1, 4, 5, 9}, 9, 5, 0, 2, 3},
		{"wrap", []uint16{65534, 65535, 0, 1}, 4, 0, 0, 0, 0},
		{"lost over the wrap", []uint16{65534, 1}, 4, 2, 0, 1, 2},
		{"reordered", []uint16{1, 3, 2, 4}, 4, 0, 1, 1, 1},
		{"twice", []uint16{1, 2, 2, 3}, 3, -1, 0, 0, 0}, // A.3: duplicates make it negative
		{"leap", []uint16{1, 2, 30000, 30001, 30002}, 4, 0, 0, 0, 0},
		{"stray number", []uint16{1, 2, 30000, 3, 4}, 4, 0, 0, 0, 0},
	} {
		var s stream
		play(&s, 7, c.seqs...)
		if s.expected() != c.expected || s.lost() != c.lost || s.late != c.late || s.gaps != c.gaps || s.gapMax != c.longest {
			t.Errorf("%s: expected %d lost %d late %d gaps %d longest %d; want %+v", c.name, s.expected(), s.lost(), s.late, s.gaps, s.gapMax, c)
		}
		if s.packets != uint64(len(c.seqs)) {
			t.Errorf("%s: %d packets", c.name, s.packets)
		}
	}
}

// A new SSRC starts a count of its own and keeps the old one's.
func TestSSRCChange(t *testing.T) {
	var s stream
	play(&s, 7, 1, 2, 4)
	play(&s, 8, 900, 901, 903)
	if s.changes != 1 || s.expected() != 8 || s.lost() != 2 {
		t.Fatalf("changes %d expected %d lost %d", s.changes, s.expected(), s.lost())
	}
}

// Transit times of 0, 10, 0, 10 ms... worked by hand: D is 80 units each time, J = 80, 155, 226... sixteenths.
func TestJitterByHand(t *testing.T) {
	var s stream
	want := uint32(0)
	for i := range 50 {
		at := time.Duration(i)*20*time.Millisecond + time.Duration(i%2)*10*time.Millisecond
		h := rtpHeader{seq: uint16(i), ssrc: 7, timestamp: uint32(i) * 160}
		s.rtp(&h, 172, at, nil, nil)
		if i > 0 {
			want += 80 - (want+8)>>4
		}
		if s.jitter != want {
			t.Fatalf("packet %d: %d, want %d", i, s.jitter, want)
		}
	}
	if first := uint32(80); s.jitterMax>>4 < 70 || s.jitterMax>>4 > first {
		t.Fatalf("jitter tends to the constant |D| of %d units; maximum is %d", first, s.jitterMax>>4)
	}
	if ms := s.units(s.jitter >> 4); ms < 9*time.Millisecond || ms > 10*time.Millisecond {
		t.Fatalf("%v is not 80 units of 8 kHz", ms)
	}
}

// Telephone events repeat a timestamp and comfort noise comes late: neither is jitter. Events are counted by timestamp.
func TestEventsAndComfortNoiseAreNoJitter(t *testing.T) {
	var s stream
	types := []Payload{{101, "telephone-event", 8000}}
	seq := uint16(0)
	send := func(pt uint8, ts uint32, at time.Duration) {
		seq++
		h := rtpHeader{seq: seq, ssrc: 7, timestamp: ts, payloadType: pt}
		s.rtp(&h, 172, at, types, nil)
	}
	for i := range 10 {
		send(0, uint32(i)*160, time.Duration(i)*20*time.Millisecond)
	}
	for i := range 8 { // one key, pressed for 160 ms
		send(101, 1600, time.Duration(200+i*20)*time.Millisecond)
	}
	send(13, 9999, 365*time.Millisecond)
	send(101, 3200, 400*time.Millisecond)
	send(0, 3360, 420*time.Millisecond)
	if s.jitterMax != 0 || s.events != 2 || s.comfort != 1 || s.lost() != 0 {
		t.Fatalf("jitter %d events %d comfort noise %d lost %d", s.jitterMax, s.events, s.comfort, s.lost())
	}
	if s.codec.Name != "PCMU" {
		t.Fatalf("codec %q", s.codec.Name)
	}
}

// A sender that re-bases its timestamps has no jitter of an hour.
func TestTimestampLeapIsNoJitter(t *testing.T) {
	var s stream
	for i := range 20 {
		h := rtpHeader{seq: uint16(i), ssrc: 7, timestamp: uint32(i) * 160}
		if i >= 10 {
			h.timestamp += 1 << 30
		}
		s.rtp(&h, 172, time.Duration(i)*20*time.Millisecond, nil, nil)
	}
	if s.jitterMax != 0 {
		t.Fatalf("jitter %d", s.jitterMax)
	}
}

func TestClockRates(t *testing.T) {
	types := []Payload{{96, "opus", 48000}, {0, "PCMU", 0}}
	for pt, want := range map[uint8]uint32{0: 8000, 8: 8000, 9: 8000, 18: 8000, 11: 44100, 34: 90000, 96: 48000, 97: 0} {
		if got := describe(pt, nil, types).ClockRate; got != want {
			t.Errorf("type %d: %d Hz, want %d", pt, got, want)
		}
	}
	if got := describe(96, []Payload{{96, "EVS", 16000}}, types).Name; got != "EVS" {
		t.Errorf("a party's own name of a type comes first, not %s", got)
	}
}

// What we read of a header is what pion reads.
func FuzzReadRTP(f *testing.F) {
	f.Add(speech(8, 77, 1234))
	f.Add([]byte{0x90, 0x80, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0xbe, 0xde, 0, 1, 0x10, 1, 0, 0})
	f.Add([]byte{0x82, 0x80, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		class, drop := classify(outsideRTP, b, [2]Kind{}, false, typeSet{})
		if drop != dropNone || class != classRTP {
			return
		}
		h := readRTP(b)
		var p rtp.Header
		if _, err := p.Unmarshal(b); err != nil {
			return // an extension or a padding that contradicts itself is the receiver's business
		}
		if h.marker != p.Marker || h.payloadType != p.PayloadType || h.seq != p.SequenceNumber || h.timestamp != p.Timestamp || h.ssrc != p.SSRC {
			t.Fatalf("%+v, pion reads %+v", h, p)
		}
	})
}
