package remote

import (
	"context"
	"slices"
	"time"

	"github.com/hotcut/hotcut/media"
	"github.com/hotcut/hotcut/media/ng"
	"github.com/hotcut/hotcut/media/relay"
)

// Quality is how a dialog sounds now, as far as its server tells. It waits for the server.
func (r *Relay) Quality(k relay.Key) (relay.Quality, bool) {
	type answer struct {
		q     relay.Quality
		known bool
	}
	got := make(chan answer, 1)
	if !r.queue(k, false, func(g *dialog) {
		ctx, cancel := context.WithTimeout(context.Background(), r.o.Wait)
		defer cancel()
		x, err := r.client.Do(ctx, g.server, g.request(ng.Query))
		if err != nil || x.Report == nil {
			got <- answer{}
			return
		}
		got <- answer{qualityOf(x.Report, g.began), true}
	}) {
		return relay.Quality{}, false
	}
	a := <-got
	return a.q, a.known
}

// qualityOf puts a server's report into the relay's words. A server says less: losses only in per cent, no events, no
// longest jitter.
func qualityOf(r *ng.Report, began time.Time) relay.Quality {
	q := relay.Quality{Began: began, At: time.Now()}
	for _, leg := range []media.Leg{media.Outside, media.Inside} {
		i := slices.IndexFunc(r.Tags, func(t ng.Tag) bool { return t.Name == leg.String() })
		if i < 0 {
			continue
		}
		for line, m := range r.Tags[i].Medias {
			if len(m.Streams) == 0 {
				continue
			}
			for len(q.Lines) <= line {
				q.Lines = append(q.Lines, media.Stats{Key: media.SessionKey{Line: len(q.Lines)}, Opened: began, At: q.At})
			}
			in := lineOf(&m, r.SSRC)
			q.Lines[line].Legs[leg] = in
			q.Fax = q.Fax || m.Type == "image" && in.In.Packets > 0
		}
	}
	main := -1
	for i := range q.Lines {
		legs := &q.Lines[i].Legs
		for leg := range legs {
			legs[leg].Out.Packets = legs[leg^1].In.Packets
		}
		if main < 0 || legs[0].In.Packets+legs[1].In.Packets > q.Lines[main].Legs[0].In.Packets+q.Lines[main].Legs[1].In.Packets {
			main = i
		}
	}
	if main < 0 {
		return q
	}
	for leg := range q.Legs {
		l := &q.Lines[main].Legs[leg]
		q.Legs[leg] = relay.LegQuality{Codec: l.In.Codec, Packets: l.In.Packets, Loss: l.MOS.Loss, Lost: l.In.Lost, Jitter: l.In.Jitter, MaxJitter: l.In.MaxJitter, MOS: l.MOS,
			Heard: l.In.Packets > 0, Sent: l.Out.Packets, RoundTrip: l.Far.RoundTrip}
		if q.Legs[leg].Heard {
			q.Legs[leg].Peer = l.Remote
		}
	}
	q.OneWay = q.Legs[0].Heard != q.Legs[1].Heard
	return q
}

// lineOf is one party's part of a line.
func lineOf(m *ng.Media, points []ng.Quality) (l media.LegStats) {
	s := &m.Streams[0]
	l.Remote, l.In.SSRC, l.In.Last = s.Endpoint, s.SSRC, s.LastPacket
	l.In.Packets, l.In.Bytes, l.In.Codec = uint64(max(0, s.Packets)), uint64(max(0, s.Bytes)), codec(m.Codec)
	i := slices.IndexFunc(points, func(p ng.Quality) bool { return p.SSRC == s.SSRC && s.SSRC != 0 })
	if i < 0 {
		return l
	}
	p := &points[i]
	l.In.Jitter = time.Duration(p.Average.Jitter) * time.Millisecond
	l.In.MaxJitter = time.Duration(max(p.Average.Jitter, p.Lowest.Jitter, p.Highest.Jitter)) * time.Millisecond
	l.In.Lost = int64(l.In.Packets) * p.Average.PacketLoss / max(1, 100-p.Average.PacketLoss)
	l.Far.RoundTrip = time.Duration(p.Average.RoundTripLeg) * time.Microsecond
	if p.Average.MOS >= 10 && p.Average.MOS <= 50 {
		l.MOS = media.MOS{Known: true, Score: float64(p.Average.MOS) / 10, Loss: float64(p.Average.PacketLoss), Assumed: "as the media server reports it"}
	}
	return l
}

// codec is the name without its clock rate.
func codec(s string) string {
	for i := range s {
		if s[i] == '/' {
			return s[:i]
		}
	}
	return s
}
