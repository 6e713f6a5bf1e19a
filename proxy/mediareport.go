package proxy

import (
	"math"
	"slices"
	"time"

	"github.com/hotcut/hotcut/media"
	"github.com/hotcut/hotcut/media/relay"
	"github.com/hotcut/hotcut/proxy/admin"
	"github.com/hotcut/hotcut/proxy/callrecord"
)

const (
	maxMediaEvents = 16              // of a call, in its record
	liveMedia      = 2 * time.Second // for the figures of all calls that somebody asked for
)

// mediaEvent is told of what the relay has seen, one event at a time.
func (e *Edge) mediaEvent(ev media.Event) {
	e.count.mediaEvents.Inc(int(ev.Kind) - 1)
	if ev.Kind == media.EventClosed {
		return
	}
	word := ev.Kind.String()
	if ev.Kind == media.EventNoLock || ev.Kind == media.EventOneWay {
		word += " " + ev.Leg.String()
	}
	s := e.shardOf(e.callHash([]byte(ev.Key.CallID)))
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.anchors[relay.Key{CallID: ev.Key.CallID, Leg: ev.Key.Leg}]; at != nil && len(at.events) < maxMediaEvents {
		at.events = append(at.events, word)
	}
}

// mediaOf puts figures into a record's words.
func mediaOf(q *relay.Quality, events []string) *callrecord.Media {
	m := &callrecord.Media{Outside: mediaLegOf(&q.Legs[media.Outside]), Inside: mediaLegOf(&q.Legs[media.Inside]), Fax: q.Fax, Events: slices.Clone(events)}
	return m
}

func mediaLegOf(l *relay.LegQuality) callrecord.MediaLeg {
	x := callrecord.MediaLeg{Codec: l.Codec, Packets: l.Packets, Sent: l.Sent, Lost: l.Lost, Loss: rounded(l.Loss), Jitter: milliseconds(l.Jitter),
		MaxJitter: milliseconds(l.MaxJitter), RoundTrip: milliseconds(l.RoundTrip), Dropped: l.Dropped}
	if l.MOS.Known {
		x.MOS, x.Assumed = rounded(l.MOS.Score), l.MOS.Assumed
	}
	if l.Peer.IsValid() {
		x.Peer = l.Peer.String()
	}
	return x
}

func milliseconds(d time.Duration) float64 { return rounded(float64(d) / float64(time.Millisecond)) }

func rounded(f float64) float64 { return math.Round(f*100) / 100 }

// mosFloors are the lower ends of the classes in which MOS is counted: the steps of ITU-T G.107 annex B.
var mosFloors = [...]float64{4.34, 4.03, 3.6, 3.1, 2.58, 1}

var mosWords = []string{"outside,4.34", "outside,4.03", "outside,3.60", "outside,3.10", "outside,2.58", "outside,1.00",
	"inside,4.34", "inside,4.03", "inside,3.60", "inside,3.10", "inside,2.58", "inside,1.00"}

// heard counts how a call sounded.
func (e *Edge) heard(q *relay.Quality) {
	for leg := range q.Legs {
		if m := &q.Legs[leg].MOS; m.Known {
			i := slices.IndexFunc(mosFloors[:], func(floor float64) bool { return m.Score >= floor })
			if i < 0 {
				i = len(mosFloors) - 1
			}
			e.count.mediaMOS.Inc(leg*len(mosFloors) + i)
		}
	}
}

// addMedia says how living calls sound. keys are theirs, in the order of list; what takes too long is left out.
func (e *Edge) addMedia(list []admin.Call, keys map[string]liveSession) {
	if e.media == nil {
		return
	}
	deadline := time.Now().Add(liveMedia)
	for i := range list {
		k, ok := keys[list[i].CallID]
		if !ok || time.Now().After(deadline) {
			continue
		}
		if q, ok := e.media.quality(k.key); ok {
			list[i].Media = mediaOf(&q, k.events)
		}
	}
}

// liveSession is a living call's session.
type liveSession struct {
	key    relay.Key
	events []string
}
