package record

import (
	"bytes"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hotcut/hotcut/media/sdp"
)

// description is an SDP with what only its redacted text shows besides: the networks of its media.
type description struct {
	SDP
	networks []netip.Addr // by index of Media; not valid: a name
}

// unreadable begins the redacted text of what is no description, its fault after it.
const unreadable = "unreadable "

// tooLarge is the fault of a description with more than maxMedia or maxCodecs.
const tooLarge = "too_large"

// faults are the labels that may follow unreadable.
var faults = func() words {
	w := words{tooLarge: tooLarge}
	for f := range sdp.Faults() {
		w[f.String()] = f.String()
	}
	return w
}()

// readSDP reads a description: codecs by name, no addresses, ports, payload numbers or keys.
func readSDP(b []byte) description {
	if rest, ok := bytes.CutPrefix(b, []byte(unreadable)); ok && faults.word(bytes.TrimSpace(rest)) != "" {
		return description{SDP: SDP{Unreadable: faults.word(bytes.TrimSpace(rest))}}
	}
	var d sdp.Description
	if f := d.Scan(b); f != sdp.FaultNone {
		return description{SDP: SDP{Unreadable: f.String()}}
	}
	if len(d.Media) > maxMedia {
		return description{SDP: SDP{Unreadable: tooLarge}}
	}
	var out description
	for i := range d.Media {
		m, ok := readMedia(&d, i)
		if !ok {
			return description{SDP: SDP{Unreadable: tooLarge}}
		}
		out.Media = append(out.Media, m)
		at := d.ConnectionOf(i).Addr
		if at.IsValid() && at.IsUnspecified() && !m.Held {
			at = netip.Addr{} // with ICE it says that candidates follow; the text has no ICE and would say hold
		}
		out.networks = append(out.networks, at)
	}
	return out
}

func readMedia(d *sdp.Description, i int) (Media, bool) {
	in := &d.Media[i]
	m := Media{
		Type:      orOther(mediaTypes.word(in.Type.Of(d.Raw))),
		Profile:   orOther(profiles.word(in.Proto.Of(d.Raw))),
		Refused:   in.Port == 0 && !in.BundleOnly,
		Ptime:     int(min(in.Ptime/time.Millisecond, 9999)),
		Direction: directions[in.Direction],
		Held:      d.Held(i),
		Crypto:    crypto(d, i),
	}
	for f := range d.Formats(i) {
		if len(m.Codecs) == maxCodecs {
			return m, false
		}
		name := codecName(d, i, f)
		switch {
		case strings.HasPrefix(name, "telephone-event"):
			m.DTMF = true
		case name != "" && !slices.Contains(m.Codecs, name):
			m.Codecs = append(m.Codecs, name)
		}
	}
	return m, true
}

var directions = [...]string{sdp.SendRecv: "sendrecv", sdp.SendOnly: "sendonly", sdp.RecvOnly: "recvonly", sdp.Inactive: "inactive"}

// codecName is "pcma/8000" for a payload type, "t38" for a format with a name. A codec that nobody knows is "other".
func codecName(d *sdp.Description, i int, format []byte) string {
	if d.Media[i].Kind != sdp.KindRTP {
		return formats.word(format)
	}
	payload, err := strconv.ParseUint(string(format), 10, 7)
	if err != nil {
		return ""
	}
	c := d.Codec(i, uint8(payload))
	name := orOther(codecs.word([]byte(c.Name)))
	if rate := rates.word(strconv.AppendInt(nil, int64(c.Rate), 10)); rate != "" {
		name += "/" + rate
	}
	return name
}

// crypto is how the media may be encrypted: the suites of SDES, "dtls" for a fingerprint. A fingerprint of the session
// stands for all its media.
func crypto(d *sdp.Description, i int) []string {
	var all []string
	for _, a := range d.Attributes {
		switch {
		case a.Kind == sdp.AttrFingerprint && (a.Media == i || a.Media < 0):
			all = append(all, "dtls")
		case a.Kind == sdp.AttrCrypto && a.Media == i:
			var suite []byte
			if f := bytes.Fields(a.Value.Of(d.Raw)); len(f) > 1 {
				suite = f[1]
			}
			all = append(all, strings.ToLower(orOther(suites.word(suite))))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// text writes the description as SDP that readSDP reads as the same: payload types are numbered anew, keys and
// fingerprints are empty, ports are 9 (the discard service) where they are not 0.
func (d *description) text() []byte {
	if d.Unreadable != "" {
		return []byte(unreadable + d.Unreadable + "\r\n")
	}
	b := []byte("v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n")
	for i := range d.Media {
		b = d.Media[i].appendTo(b, d.networks[i])
	}
	return b
}

func (m *Media) appendTo(b []byte, at netip.Addr) []byte {
	port, numbers, maps := "9", []string(nil), []string(nil)
	if m.Refused {
		port = "0"
	}
	rtp := strings.Contains(m.Profile, "RTP/") && !strings.HasPrefix(m.Profile, "TCP")
	for i, c := range m.Codecs {
		if !rtp {
			numbers = append(numbers, c)
			continue
		}
		numbers = append(numbers, strconv.Itoa(96+i))
		maps = append(maps, strconv.Itoa(96+i)+" "+c)
	}
	if m.DTMF {
		numbers, maps = append(numbers, "127"), append(maps, "127 telephone-event/8000")
	}
	if len(numbers) == 0 {
		numbers = []string{"-"}
	}
	b = append(b, "m="+m.Type+" "+port+" "+m.Profile+" "+strings.Join(numbers, " ")+"\r\n"...)
	b = append(b, "c=IN "+connection(at)+"\r\n"...)
	for _, s := range maps {
		b = append(b, "a=rtpmap:"+s+"\r\n"...)
	}
	if m.Ptime > 0 {
		b = append(b, "a=ptime:"+strconv.Itoa(m.Ptime)+"\r\n"...)
	}
	for _, c := range m.Crypto {
		switch c {
		case "dtls":
			b = append(b, "a=fingerprint:sha-256 -\r\n"...)
		default:
			b = append(b, "a=crypto:1 "+strings.ToUpper(c)+" inline:-\r\n"...)
		}
	}
	return append(b, "a="+m.Direction+"\r\n"...)
}

// connection is the network of an address as c= has it. The unspecified address stays: it means hold.
func connection(a netip.Addr) string {
	switch {
	case !a.IsValid():
		return "IP4 host.invalid"
	case a.Is4():
		return "IP4 " + network(a)
	case a.Is4In6():
		return "IP6 ::ffff:" + network(a.Unmap())
	}
	return "IP6 " + network(a)
}
