package sdp

import (
	"bytes"
	"strconv"
)

// A Codec is what a payload type stands for.
type Codec struct {
	Name string // PCMU, opus, telephone-event, ...; "": not said
	Rate int    // Hz; 0: not said
}

// static payload types of audio (RFC 3551 section 6) that need no rtpmap.
var static = map[uint8]Codec{
	0: {"PCMU", 8000}, 3: {"GSM", 8000}, 4: {"G723", 8000}, 5: {"DVI4", 8000}, 6: {"DVI4", 16000}, 7: {"LPC", 8000},
	8: {"PCMA", 8000}, 9: {"G722", 8000}, 10: {"L16", 44100}, 11: {"L16", 44100}, 12: {"QCELP", 8000}, 13: {"CN", 8000},
	15: {"G728", 8000}, 18: {"G729", 8000},
}

// Codec is the codec of a payload type in media i: what a=rtpmap says, else what RFC 3551 does.
func (d *Description) Codec(i int, payload uint8) Codec {
	for _, a := range d.Attributes {
		if a.Kind != AttrRTPMap || a.Media != i {
			continue
		}
		rest := a.Value
		if t, ok := readPort(word(d.Raw, &rest).Of(d.Raw)); !ok || t != uint16(payload) {
			continue
		}
		name, tail, _ := bytes.Cut(word(d.Raw, &rest).Of(d.Raw), []byte("/"))
		rate, _, _ := bytes.Cut(tail, []byte("/"))
		hz, err := strconv.Atoi(string(rate))
		if err != nil || hz < 0 {
			hz = 0
		}
		return Codec{string(name), hz}
	}
	if d.Media[i].Kind != KindRTP {
		return Codec{}
	}
	return static[payload]
}
