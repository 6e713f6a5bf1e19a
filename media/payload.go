package media

import "strings"

// typeSet is a set of RTP payload types.
type typeSet [2]uint64

func (s *typeSet) add(t uint8)     { s[t>>6&1] |= 1 << (t & 63) }
func (s typeSet) has(t uint8) bool { return s[t>>6&1]&(1<<(t&63)) != 0 }
func (s typeSet) empty() bool      { return s[0]|s[1] == 0 }

// staticTypes are RFC 3551's audio types (tables 4 and 5), and comfort noise (RFC 3389).
var staticTypes = [...]Payload{
	{0, "PCMU", 8000}, {3, "GSM", 8000}, {4, "G723", 8000}, {5, "DVI4", 8000}, {6, "DVI4", 16000}, {7, "LPC", 8000},
	{8, "PCMA", 8000}, {9, "G722", 8000}, {10, "L16", 44100}, {11, "L16", 44100}, {12, "QCELP", 8000}, {13, "CN", 8000},
	{14, "MPA", 90000}, {15, "G728", 8000}, {16, "DVI4", 11025}, {17, "DVI4", 22050}, {18, "G729", 8000},
	{26, "JPEG", 90000}, {31, "H261", 90000}, {32, "MPV", 90000}, {33, "MP2T", 90000}, {34, "H263", 90000},
}

// describe finds what a payload type means: by the SDP of either party, else by RFC 3551. A party sends the types of
// the other one's SDP, but dynamic numbers that differ between the two are rare, so its own is asked first.
func describe(t uint8, own, other []Payload) Payload {
	for _, list := range [2][]Payload{own, other} {
		for _, p := range list {
			if p.Type == t && p.ClockRate != 0 {
				return p
			}
		}
	}
	for _, p := range staticTypes {
		if p.Type == t {
			return p
		}
	}
	return Payload{Type: t}
}

// isEvent says whether packets of the type are telephone events (RFC 4733): they repeat one timestamp.
func (p Payload) isEvent() bool { return strings.EqualFold(p.Name, "telephone-event") }

// isComfortNoise says whether packets of the type fill silence (RFC 3389): they come when they come.
func (p Payload) isComfortNoise() bool { return strings.EqualFold(p.Name, "CN") }
