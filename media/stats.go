package media

import (
	"net/netip"
	"time"
)

// Stats are the figures of a session.
type Stats struct {
	Key    SessionKey
	Opened time.Time
	At     time.Time
	Legs   [2]LegStats // by Leg
}

// LegStats are the figures of one leg.
type LegStats struct {
	Remote   netip.AddrPort // what its SDP says
	Peer     netip.AddrPort // where it is; zero while it waits
	LockedAt time.Time      // zero while it waits
	In       Received       // what the party sends, as it arrives here
	Out      Sent           // what it is sent
	Far      Far            // what it says of that
	MOS      MOS            // of what the party sends
	Dropped  [drops]uint64  // packets that came in by this leg and were not relayed, by Drop
	Kernel   uint64         // packets that the kernel dropped because we did not read in time
}

// Received describes the stream of a party.
type Received struct {
	Packets, Bytes uint64 // RTP and UDPTL, headers of RTP included, those of UDP not
	UDPTL          uint64 // of Packets
	RTCP           uint64
	Expected       uint64 // RFC 3550 A.3
	Lost           int64  // RFC 3550 A.3; duplicates count against it
	Late           uint64 // out of order, or twice
	Gaps           uint64 // runs of missing packets
	LongestGap     uint16 // packets
	LongestSilence time.Duration
	Jitter         time.Duration // RFC 3550 A.8
	MaxJitter      time.Duration
	SSRC           uint32
	SSRCChanges    uint32
	Restarts       uint32 // the sequence numbers leapt
	Events         uint32 // telephone events (RFC 4733). Which keys they were is nobody's business
	ComfortNoise   uint64
	PayloadType    uint8 // of the newest packet
	Codec          string
	ClockRate      uint32
	First, Last    time.Time // zero: nothing yet
}

// Sent counts what a party is sent.
type Sent struct{ Packets, Bytes uint64 }

// Far is what a party reports by RTCP about the stream that it gets.
type Far struct {
	Reports   uint32
	Fraction  float64 // lost since its last report, 0 to 1
	Lost      int32
	Jitter    time.Duration
	Trips     uint32 // round trips measured between here and the party
	RoundTrip time.Duration
	MeanTrip  time.Duration
	MaxTrip   time.Duration
}

// stats runs on the session's thread.
func (s *Session) stats(now time.Duration) Stats {
	if s.final != nil {
		return *s.final
	}
	st := Stats{Key: s.key, Opened: s.engine.wall(s.opened), At: s.engine.wall(now)}
	for leg := range s.legs {
		l, a := &s.legs[leg], s.legs[leg].aim.Load()
		o := &st.Legs[leg]
		o.Remote, o.Dropped = a.remote.RTP, l.dropped
		o.Kernel = uint64(l.kernel[0]) + uint64(l.kernel[1])
		if a.locked {
			o.Peer, o.LockedAt = a.peer, s.engine.wall(l.latch.lockedAt)
		}
		o.In = s.received(l)
		o.Out = Sent{l.out.packets, l.out.bytes}
		o.Far = l.far.figures(&s.legs[leg^1].in)
		o.MOS = l.in.mos(&l.far)
	}
	return st
}

func (s *Session) received(l *legState) Received {
	t := &l.in
	r := Received{
		Packets: t.packets, Bytes: t.bytes, UDPTL: t.fax, RTCP: l.rtcp,
		Expected: t.expected(), Lost: t.lost(), Late: t.late, Gaps: t.gaps, LongestGap: t.gapMax, LongestSilence: t.silence,
		Jitter: t.units(t.jitter >> 4), MaxJitter: t.units(t.jitterMax >> 4),
		SSRC: t.ssrc, SSRCChanges: t.changes, Restarts: t.restarts,
		Events: t.events, ComfortNoise: t.comfort,
		PayloadType: t.payload.Type, Codec: t.codec.Name, ClockRate: t.codec.ClockRate,
	}
	if t.packets > 0 {
		r.First, r.Last = s.engine.wall(t.first), s.engine.wall(t.last)
	}
	return r
}

// figures turns reports into time; got is the stream that they are about.
func (v *farView) figures(got *stream) Far {
	f := Far{
		Reports: v.reports, Fraction: float64(v.fraction) / 256, Lost: v.lost, Jitter: got.units(v.jitter),
		Trips: v.trips, RoundTrip: v.trip, MaxTrip: v.tripMax,
	}
	if v.trips > 0 {
		f.MeanTrip = v.tripSum / time.Duration(v.trips)
	}
	return f
}
