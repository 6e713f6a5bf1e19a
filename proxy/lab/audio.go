package lab

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/pion/rtp"
)

// Audio is what one end of a call has heard of the other.
type Audio struct {
	Packets int // of RTP, each once
	Lost    int // missing between the first and the newest
	Missing []Gap
	Late    int // came after a later one
	Twice   int
	Wrong   int // not what the other end of this call says
	Foreign int // from another address than its description's
	Streams int // SSRCs
	Newest  int // sequence number, counted on past 65,535
	Pause   time.Duration
	Keys    string // DTMF (RFC 4733)
}

// Gap is a run of packets that are missing, by sequence number; both ends are included.
type Gap struct{ From, To int }

func (g Gap) String() string {
	if g.From == g.To {
		return fmt.Sprint(g.From)
	}
	return fmt.Sprintf("%d-%d", g.From, g.To)
}

// Faults says what is wrong with what was heard, loss apart; empty: nothing.
func (h Audio) Faults() string {
	var list []string
	for _, f := range []struct {
		n    int
		what string
	}{{h.Wrong, "with another content than was sent"}, {h.Foreign, "from another address than SDP named"}, {h.Twice, "twice"}} {
		if f.n > 0 {
			list = append(list, fmt.Sprintf("%d packets %s", f.n, f.what))
		}
	}
	if h.Streams > 1 {
		list = append(list, fmt.Sprintf("%d SSRCs", h.Streams))
	}
	return strings.Join(list, ", ")
}

// Since is what was heard after an earlier moment. Pause is of the whole call.
func (h Audio) Since(e Audio) Audio {
	h.Packets -= e.Packets
	h.Lost -= e.Lost
	h.Late -= e.Late
	h.Twice -= e.Twice
	h.Wrong -= e.Wrong
	h.Foreign -= e.Foreign
	h.Missing = slices.DeleteFunc(slices.Clone(h.Missing), func(g Gap) bool { return g.To <= e.Newest })
	h.Keys = strings.TrimPrefix(h.Keys, e.Keys)
	return h
}

// hearing checks one packet after the other. Gaps are kept by name up to a number, and counted beyond.
type hearing struct {
	Audio
	expects tongue
	from    netip.AddrPort // of whom; the only address that is listened to
	ssrc    uint32
	event   uint32 // timestamp of the newest one
	events  bool   // there was one
	last    time.Time
}

const (
	gapsNamed = 64
	keysHeard = 256
)

// take notes a packet. What comes before its sender has described itself is not judged.
func (h *hearing) take(p *rtp.Packet, from netip.AddrPort, now time.Time) {
	switch {
	case !h.from.IsValid():
		return // the other end's audio was quicker than its description
	case from != h.from:
		h.Foreign++
		return
	}
	if p.SSRC != h.ssrc || h.Streams == 0 {
		h.Streams++
		h.ssrc = p.SSRC
	}
	if !h.place(p.SequenceNumber) {
		return
	}
	if !h.last.IsZero() {
		h.Pause = max(h.Pause, now.Sub(h.last))
	}
	h.last = now
	switch p.PayloadType {
	case typePCMU:
		if !bytes.Equal(p.Payload, h.expects.audio(p.SequenceNumber)) {
			h.Wrong++
		}
	case typeEvent:
		key, ok := readEvent(p.Payload)
		switch {
		case !ok:
			h.Wrong++
		case (!h.events || p.Timestamp != h.event) && len(h.Keys) < keysHeard:
			h.Keys += string(key)
			h.event, h.events = p.Timestamp, true
		}
	default:
		h.Wrong++
	}
}

// place counts a sequence number (RFC 3550 appendix A.1, without its probation) and says whether it is new.
func (h *hearing) place(seq uint16) bool {
	if h.Packets == 0 {
		h.Packets, h.Newest = 1, int(seq)
		return true
	}
	at := h.Newest + int(int16(seq-uint16(h.Newest)))
	switch {
	case at == h.Newest+1:
	case at > h.Newest:
		h.Lost += at - h.Newest - 1
		if len(h.Missing) < gapsNamed {
			h.Missing = append(h.Missing, Gap{h.Newest + 1, at - 1})
		}
	case !h.found(at):
		h.Twice++
		return false
	default:
		h.Late++
		h.Lost--
		h.Packets++
		return true
	}
	h.Newest = at
	h.Packets++
	return true
}

// found takes a packet that was missing out of its gap.
func (h *hearing) found(at int) bool {
	for i, g := range h.Missing {
		if at < g.From || at > g.To {
			continue
		}
		var rest []Gap
		if at > g.From {
			rest = append(rest, Gap{g.From, at - 1})
		}
		if at < g.To {
			rest = append(rest, Gap{at + 1, g.To})
		}
		h.Missing = slices.Replace(h.Missing, i, i+1, rest...)
		return true
	}
	return false
}

// heard is a copy that stays as it is.
func (h *hearing) heard() Audio {
	c := h.Audio
	c.Missing = slices.Clone(c.Missing)
	return c
}
