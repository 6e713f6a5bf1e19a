package compare

import (
	"slices"
	"strconv"
	"strings"

	"github.com/hotcut/hotcut/migration/shadow/record"
)

// Row "SDP answer", and the same of what the platform offers to the called phone: there a missing codec is a feature
// lost, since both may still have another one. What stands in early media is worth a feature at most.
var sdpRules = slices.Concat(
	sdpOf("sdp", "", Critical, func(live, shadow *record.Call) []sdpPair {
		if !answered(live, shadow) {
			return nil
		}
		return []sdpPair{{live.Answer, shadow.Answer}}
	}),
	sdpOf("far.sdp", " at the called phone", Major, func(live, shadow *record.Call) []sdpPair {
		same, moved, _, _ := pairLegs(live, shadow)
		var pairs []sdpPair
		for _, p := range slices.Concat(same, moved) {
			pairs = append(pairs, sdpPair{p.live.Offer, p.shadow.Offer})
		}
		return pairs
	}),
	[]Rule{{Name: "early.sdp", Field: "early.sdp", Severity: Major, Words: "the sound before an answer is described otherwise", find: earlySDP}},
)

type sdpPair struct{ live, shadow *record.SDP }

// aspect of a pair of descriptions, or of a pair of m-lines that are both in use.
type aspect struct {
	name     string
	severity Severity
	whole    func(l, s *record.SDP) []Difference
	line     func(l, s *record.Media) []Difference
}

var aspects = []aspect{
	{"presence", Critical, present, nil},
	{"media", Critical, lines, nil},
	{"profile", Critical, nil, profile},
	{"direction", Critical, nil, direction},
	{"codec", Critical, nil, codec},
	{"codec.order", Minor, nil, codecOrder},
	{"dtmf", Major, nil, dtmf},
	{"crypto", Critical, nil, crypto},
	{"ptime", Minor, nil, ptime},
}

// sdpOf makes a rule of each aspect. codecs is how bad it is that one is missing.
func sdpOf(field, where string, codecs Severity, pairs func(live, shadow *record.Call) []sdpPair) []Rule {
	var rules []Rule
	for _, a := range aspects {
		if a.name == "codec" {
			a.severity = codecs
		}
		rules = append(rules, Rule{
			Name: field + " " + a.name, Field: field + "." + a.name, Severity: a.severity, Words: "audio is agreed otherwise" + where,
			find: func(live, shadow *record.Call) []Difference {
				var ds []Difference
				for _, p := range pairs(live, shadow) {
					ds = append(ds, a.find(p)...)
				}
				for i := range ds {
					if ds[i].Words != "" {
						ds[i].Words += where
					}
				}
				return ds
			},
		})
	}
	return rules
}

func (a *aspect) find(p sdpPair) []Difference {
	if a.whole != nil {
		return a.whole(p.live, p.shadow)
	}
	if p.live == nil || p.shadow == nil {
		return nil // present says so
	}
	var ds []Difference
	for i := range min(len(p.live.Media), len(p.shadow.Media)) {
		l, s := &p.live.Media[i], &p.shadow.Media[i]
		if l.Type == s.Type && !l.Refused && !s.Refused {
			ds = append(ds, a.line(l, s)...)
		}
	}
	return ds
}

func present(l, s *record.SDP) []Difference {
	switch {
	case (l == nil || l.Unreadable != "") && (s == nil || s.Unreadable != ""):
		return nil
	case s == nil:
		return []Difference{{Kind: Lost, From: "a description", Words: "calls without audio: the description of the media is missing"}}
	case s.Unreadable != "":
		return []Difference{{From: "readable", To: s.Unreadable, Words: "calls without audio: phones can not read the description of the media"}}
	case l == nil:
		return []Difference{{Kind: Added, To: "a description", Words: "media is described where legacy does not"}}
	case l.Unreadable != "":
		return []Difference{{From: l.Unreadable, To: "readable", Severity: Minor, Words: "media is described in a way that can be read"}}
	}
	return nil
}

// lines compares the m-lines: they are told apart by their place (RFC 3264, section 6).
func lines(l, s *record.SDP) []Difference {
	if l == nil || s == nil || l.Unreadable != "" || s.Unreadable != "" {
		return nil
	}
	var ds []Difference
	for i := range max(len(l.Media), len(s.Media)) {
		had, has := inUse(l, i), inUse(s, i)
		if had == has {
			continue
		}
		d := Difference{From: had, To: has}
		switch {
		case has == "":
			d.Kind, d.Words = Lost, had+" is lost"
			if d.Severity = Major; had == "audio" {
				d.Severity, d.Words = Critical, "calls without audio"
			} else if had == "image" {
				d.Words = "fax is lost"
			}
		case had == "":
			d.Kind, d.Words, d.Severity = Added, has+" is agreed where legacy has none", Major
		default:
			d.Words = "calls get " + has + " instead of " + had
		}
		ds = append(ds, d)
	}
	return ds
}

// inUse is the type of the m-line, "" if there is none or it is refused.
func inUse(s *record.SDP, i int) string {
	if i >= len(s.Media) || s.Media[i].Refused {
		return ""
	}
	return s.Media[i].Type
}

func profile(l, s *record.Media) []Difference {
	if strings.EqualFold(l.Profile, s.Profile) {
		return nil
	}
	d := Difference{From: l.Profile, To: s.Profile, Words: "no audio: the platform answers with another kind of media transport"}
	switch secure := func(p string) bool { return strings.Contains(strings.ToUpper(p), "SAVP") }; {
	case secure(l.Profile) && !secure(s.Profile):
		d.Words = "calls are no longer encrypted"
	case !secure(l.Profile) && secure(s.Profile):
		d.Words = "calls are encrypted that are not on legacy: no audio with phones that can not"
	}
	return []Difference{d}
}

func direction(l, s *record.Media) []Difference {
	if l.Direction == s.Direction {
		return nil
	}
	d := Difference{From: l.Direction, To: s.Direction, Words: "one-way audio"}
	switch {
	case s.Direction == "inactive":
		d.Words = "no audio in either direction"
	case l.Direction == "inactive":
		d.Words = "audio where legacy has none: a call on hold is heard"
	case s.Direction == "sendrecv":
		d.Words = "audio in a direction in which legacy has none: a call on hold is heard"
	}
	return []Difference{d}
}

func codec(l, s *record.Media) []Difference {
	lost, added := apart(l.Codecs, s.Codecs)
	if len(lost) == 0 && len(added) == 0 {
		return nil
	}
	d := Difference{Kind: Differs, From: some(lost), To: some(added), Words: "calls can use other codecs than on legacy"}
	switch {
	case len(added) == 0:
		d.Kind, d.Words = Lost, "codecs are missing that legacy agrees on"
	case len(lost) == 0:
		d.Kind, d.Words = Added, "codecs are agreed on that legacy does not"
	}
	common := slices.ContainsFunc(s.Codecs, func(c string) bool { return slices.Contains(l.Codecs, c) })
	switch {
	case !common && len(l.Codecs) > 0 && len(s.Codecs) > 0:
		d.Severity, d.Words = Critical, "no audio: no codec in common with what legacy agrees on"
	case slices.ContainsFunc(lost, wideband) && !slices.ContainsFunc(s.Codecs, wideband):
		d.Words = "HD voice is lost"
	}
	return []Difference{d}
}

func wideband(codec string) bool {
	for _, hd := range []string{"g722", "opus", "amr-wb", "evs", "g7221", "silk"} {
		if name, _, _ := strings.Cut(codec, "/"); name == hd {
			return true
		}
	}
	return false
}

func codecOrder(l, s *record.Media) []Difference {
	lost, added := apart(l.Codecs, s.Codecs)
	if len(lost) > 0 || len(added) > 0 || slices.Equal(l.Codecs, s.Codecs) || len(l.Codecs) == 0 {
		return nil
	}
	return []Difference{{Kind: Order, From: l.Codecs[0], To: s.Codecs[0], Words: "codecs stand in another order: calls may sound otherwise"}}
}

func dtmf(l, s *record.Media) []Difference {
	switch {
	case l.DTMF && !s.DTMF:
		return []Difference{{Kind: Lost, Words: "key presses (DTMF) are lost: menus and PINs do not work"}}
	case s.DTMF && !l.DTMF:
		return []Difference{{Kind: Added, Words: "key presses (DTMF) are sent in a way that legacy does not agree on"}}
	}
	return nil
}

func crypto(l, s *record.Media) []Difference {
	ds := sets(l.Crypto, s.Crypto, "a way to encrypt is missing", "a way to encrypt is new")
	for i := range ds {
		switch {
		case len(s.Crypto) == 0:
			ds[i].Words = "calls are no longer encrypted"
		case len(l.Crypto) > 0:
			ds[i].Severity = Minor // both encrypt
		}
	}
	return ds
}

// ptime: 20 ms if nothing is said (RFC 3551, section 4.2).
func ptime(l, s *record.Media) []Difference {
	told := func(m *record.Media) int {
		if m.Ptime == 0 {
			return 20
		}
		return m.Ptime
	}
	if told(l) == told(s) {
		return nil
	}
	return []Difference{{From: strconv.Itoa(told(l)) + " ms", To: strconv.Itoa(told(s)) + " ms", Words: "audio comes in packets of another length"}}
}

func earlySDP(live, shadow *record.Call) []Difference {
	l, s := live.Early.Media, shadow.Early.Media
	if !alike(live, shadow) || l == nil || s == nil {
		return nil // the rule "early media" says so
	}
	for _, a := range aspects {
		for _, d := range a.find(sdpPair{l, s}) {
			d.Severity = min(a.severity, Major)
			d.Field = "early.sdp." + a.name
			d.Words = "before an answer: " + d.Words
			return []Difference{d} // one is enough: early media is heard or it is not
		}
	}
	return nil
}
