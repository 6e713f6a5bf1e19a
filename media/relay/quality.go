package relay

import (
	"net/netip"
	"time"

	"github.com/hotcut/hotcut/media"
)

// Quality is how a dialog sounds, or sounded.
type Quality struct {
	Began, At time.Time
	Legs      [2]LegQuality // by media.Leg, of the line that has carried most
	OneWay    bool          // one party was heard and the other was not
	Fax       bool          // T.38 was relayed
	Lines     []media.Stats // all there is to know, by line
}

// LegQuality is what one party sends, as it arrives here, and what it is sent.
type LegQuality struct {
	Codec     string
	Packets   uint64
	Lost      int64
	Loss      float64 // per cent of what was expected
	Jitter    time.Duration
	MaxJitter time.Duration
	MOS       media.MOS
	Peer      netip.AddrPort // where it is; not valid: it was never heard
	Heard     bool
	Sent      uint64
	Events    uint32 // telephone events
	RoundTrip time.Duration
	Dropped   uint64 // packets that were not its, or could not go on
}

// Quality is how a dialog sounds now. Like End, it waits for the engine's threads to come by.
func (r *Relay) Quality(k Key) (Quality, bool) {
	g, ok := r.find(k)
	if !ok {
		return Quality{}, false
	}
	g.mu.Lock()
	sessions, began, over := g.sessions(), g.began, g.over
	g.mu.Unlock()
	if over {
		return Quality{}, false
	}
	return qualityOf(sessions, began), true
}

func qualityOf(sessions []*media.Session, began time.Time) Quality {
	q := Quality{Began: began, At: time.Now()}
	for _, s := range sessions {
		q.Lines = append(q.Lines, s.Stats())
	}
	var main *media.Stats
	for i := range q.Lines {
		st := &q.Lines[i]
		q.Fax = q.Fax || st.Legs[0].In.UDPTL > 0 || st.Legs[1].In.UDPTL > 0
		if main == nil || carried(st) > carried(main) {
			main = st
		}
	}
	if main == nil {
		return q
	}
	for leg := range main.Legs {
		q.Legs[leg] = legQuality(&main.Legs[leg])
	}
	q.OneWay = q.Legs[0].Heard != q.Legs[1].Heard
	return q
}

func carried(st *media.Stats) uint64 { return st.Legs[0].In.Packets + st.Legs[1].In.Packets }

func legQuality(st *media.LegStats) LegQuality {
	in := &st.In
	q := LegQuality{
		Codec: in.Codec, Packets: in.Packets, Lost: in.Lost, Jitter: in.Jitter, MaxJitter: in.MaxJitter,
		MOS: st.MOS, Peer: st.Peer, Heard: in.Packets > 0, Sent: st.Out.Packets, Events: in.Events, RoundTrip: st.Far.RoundTrip,
	}
	if in.Expected > 0 {
		q.Loss = 100 * float64(max(0, in.Lost)) / float64(in.Expected)
	}
	for _, n := range st.Dropped {
		q.Dropped += n
	}
	return q
}
