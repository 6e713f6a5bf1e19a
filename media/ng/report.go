package ng

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// A Report is what a relay knows of one call.
type Report struct {
	Created    time.Time // to the second, like all times here
	LastSignal time.Time
	Tags       []Tag // by name
	RTP, RTCP  Counters
	SSRC       []Quality // by SSRC
}

// A Tag is one side of the call; its name may be empty, before the side has said it.
type Tag struct {
	Name      string
	ViaBranch string
	Label     string
	Created   time.Time
	With      []string // the tags that its media comes from
	Medias    []Media
}

// Media is one m= of a Tag.
type Media struct {
	Index    int // from 1
	Type     string
	Protocol string
	Codec    string // such as PCMU/8000; empty before packets
	Flags    []string
	Streams  []Stream // RTP, and RTCP if it has a port of its own
}

// A Stream is one port of the relay.
type Stream struct {
	Local      netip.AddrPort
	Endpoint   netip.AddrPort // where packets go
	Advertised netip.AddrPort // what the SDP said
	LastPacket time.Time
	SSRC       uint32   // of the last packet; 0: none
	Flags      []string // RTP, RTCP, filled, confirmed, kernelized, ...
	Counters
}

// Counters of received packets.
type Counters struct{ Packets, Bytes, Errors int64 }

// Quality is how one SSRC was received, as rtpengine reports it.
type Quality struct {
	SSRC                     uint32
	Average, Lowest, Highest QualityPoint
}

// A QualityPoint is one MOS with what it was made of.
type QualityPoint struct {
	MOS          int64     // tenths
	RoundTrip    int64     // microseconds
	RoundTripLeg int64     // microseconds: of it, between the relay and the end
	Jitter       int64     // milliseconds
	PacketLoss   int64     // percent
	Samples      int64     // Average only
	ReportedAt   time.Time // Lowest and Highest only
}

func readReport(d Dict) *Report {
	totals := d.dict("totals")
	r := &Report{
		Created: unix(d, "created"), LastSignal: unix(d, "last signal"),
		RTP: readCounters(totals.dict("RTP")), RTCP: readCounters(totals.dict("RTCP")),
	}
	tags := d.dict("tags")
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		t := tags.dict(name)
		tag := Tag{Name: name, ViaBranch: t.str("via-branch"), Label: t.str("label"), Created: unix(t, "created")}
		for _, s := range t.list("subscriptions") {
			if s, is := s.(Dict); is {
				tag.With = append(tag.With, s.str("tag"))
			}
		}
		if with := t.str("in dialogue with"); with != "" && tag.With == nil {
			tag.With = []string{with}
		}
		for _, m := range t.list("medias") {
			if m, is := m.(Dict); is {
				tag.Medias = append(tag.Medias, readMedia(m))
			}
		}
		r.Tags = append(r.Tags, tag)
	}
	for name, v := range d.dict("SSRC") {
		ssrc, err := strconv.ParseUint(name, 10, 32)
		if q, is := v.(Dict); is && err == nil {
			r.SSRC = append(r.SSRC, Quality{uint32(ssrc),
				readPoint(q.dict("average MOS")), readPoint(q.dict("lowest MOS")), readPoint(q.dict("highest MOS"))})
		}
	}
	slices.SortFunc(r.SSRC, func(a, b Quality) int { return int(int64(a.SSRC) - int64(b.SSRC)) })
	return r
}

func readMedia(d Dict) Media {
	m := Media{Index: int(d.integer("index")), Type: d.str("type"), Protocol: d.str("protocol"), Codec: d.str("codec"), Flags: d.strs("flags")}
	for _, s := range d.list("streams") {
		if s, is := s.(Dict); is {
			m.Streams = append(m.Streams, Stream{
				Local:      addrPort(s.str("local address"), s.integer("local port")),
				Endpoint:   readEndpoint(s.dict("endpoint")),
				Advertised: readEndpoint(s.dict("advertised endpoint")),
				LastPacket: unix(s, "last packet"),
				SSRC:       uint32(s.integer("SSRC")),
				Flags:      s.strs("flags"),
				Counters:   readCounters(s.dict("stats")),
			})
		}
	}
	return m
}

func readEndpoint(d Dict) netip.AddrPort { return addrPort(d.str("address"), d.integer("port")) }

func addrPort(host string, port int64) netip.AddrPort {
	if a := address(host); a.IsValid() && port >= 0 && port <= 65535 {
		return netip.AddrPortFrom(a, uint16(port))
	}
	return netip.AddrPort{}
}

func readCounters(d Dict) Counters {
	return Counters{d.integer("packets"), d.integer("bytes"), d.integer("errors")}
}

func readPoint(d Dict) QualityPoint {
	return QualityPoint{d.integer("MOS"), d.integer("round-trip time"), d.integer("round-trip time leg"), d.integer("jitter"), d.integer("packet loss"),
		d.integer("samples"), unix(d, "reported at")}
}

// unix reads seconds since 1970; 0 and nothing are the zero time.
func unix(d Dict, key string) time.Time {
	if n := d.integer(key); n > 0 {
		return time.Unix(n, 0)
	}
	return time.Time{}
}

// write puts the report into a response.
func (r *Report) write(d Dict) {
	setUnix(d, "created", r.Created)
	setUnix(d, "last signal", r.LastSignal)
	d["totals"] = Dict{"RTP": r.RTP.dict(), "RTCP": r.RTCP.dict()}
	tags, ssrc := Dict{}, Dict{}
	for i := range r.Tags {
		tags[r.Tags[i].Name] = r.Tags[i].dict()
	}
	for _, q := range r.SSRC {
		ssrc[strconv.FormatUint(uint64(q.SSRC), 10)] = Dict{
			"average MOS": q.Average.dict(), "lowest MOS": q.Lowest.dict(), "highest MOS": q.Highest.dict(),
		}
	}
	d["tags"], d["SSRC"] = tags, ssrc
}

func (t *Tag) dict() Dict {
	d := Dict{"tag": t.Name}
	d.setStr("via-branch", t.ViaBranch)
	d.setStr("label", t.Label)
	setUnix(d, "created", t.Created)
	subscriptions, medias := []any{}, []any{}
	for _, with := range t.With {
		subscriptions = append(subscriptions, Dict{"tag": with, "type": "offer/answer"})
	}
	if len(t.With) == 1 {
		d["in dialogue with"] = t.With[0]
	}
	for i := range t.Medias {
		medias = append(medias, t.Medias[i].dict())
	}
	d["subscriptions"], d["medias"] = subscriptions, medias
	return d
}

func (m *Media) dict() Dict {
	streams := []any{}
	for i := range m.Streams {
		streams = append(streams, m.Streams[i].dict())
	}
	d := Dict{"index": int64(m.Index), "streams": streams, "flags": listOf(m.Flags)}
	d.setStr("type", m.Type)
	d.setStr("protocol", m.Protocol)
	d.setStr("codec", m.Codec)
	return d
}

func (s *Stream) dict() Dict {
	d := Dict{"stats": s.Counters.dict(), "flags": listOf(s.Flags)}
	if s.Local.IsValid() {
		d["local port"], d["local address"], d["family"] = int64(s.Local.Port()), s.Local.Addr().String(), familyName(s.Local.Addr())
	}
	if s.Endpoint.IsValid() {
		d["endpoint"] = endpointDict(s.Endpoint)
	}
	if s.Advertised.IsValid() {
		d["advertised endpoint"] = endpointDict(s.Advertised)
	}
	if s.SSRC != 0 {
		d["SSRC"] = int64(s.SSRC)
	}
	setUnix(d, "last packet", s.LastPacket)
	return d
}

func endpointDict(e netip.AddrPort) Dict {
	return Dict{"family": familyName(e.Addr()), "address": e.Addr().String(), "port": int64(e.Port())}
}

func familyName(a netip.Addr) string {
	if familyOf(a) == IP4 {
		return "IPv4"
	}
	return "IPv6"
}

func (c Counters) dict() Dict {
	return Dict{"packets": c.Packets, "bytes": c.Bytes, "errors": c.Errors}
}

func (p QualityPoint) dict() Dict {
	d := Dict{"MOS": p.MOS, "round-trip time": p.RoundTrip, "round-trip time leg": p.RoundTripLeg, "jitter": p.Jitter, "packet loss": p.PacketLoss}
	if p.Samples > 0 {
		d["samples"] = p.Samples
	}
	setUnix(d, "reported at", p.ReportedAt)
	return d
}

func setUnix(d Dict, key string, t time.Time) {
	if !t.IsZero() {
		d[key] = t.Unix()
	}
}
