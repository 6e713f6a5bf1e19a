package record

import (
	"slices"
	"strings"
	"time"

	"github.com/hotcut/hotcut/proxy/wire"
)

// A Feature is something that a call used beyond ringing and talking.
type Feature string

// The features that messages show.
const (
	FeatureHold       Feature = "hold"
	FeatureTransfer   Feature = "transfer"
	FeatureForward    Feature = "forward"
	FeatureVoicemail  Feature = "voicemail"
	FeatureFax        Feature = "fax"
	FeatureDTMF       Feature = "dtmf" // by INFO: events in the media pass us by
	FeatureHunt       Feature = "hunt"
	FeaturePark       Feature = "park"
	FeatureAfterHours Feature = "after-hours"
)

// Features are all of them.
var Features = []Feature{
	FeatureHold, FeatureTransfer, FeatureForward, FeatureVoicemail, FeatureFax, FeatureDTMF, FeatureHunt, FeaturePark, FeatureAfterHours,
}

// features reads what the messages of all legs show.
func (o *reading) features() {
	c := o.c
	found := map[Feature]bool{}
	for _, l := range append([]*leg{o.near}, o.far...) {
		if l.Unexpected {
			continue
		}
		for _, m := range l.messages {
			o.featuresOf(m, found)
		}
	}
	before := len(o.diverted(o.near.first, wire.HDiversion)) // diverted to us, which is nothing that we did
	phones := map[Address]bool{}
	voicemail, park := o.users(o.p.Voicemail, "voicemail", "vm", "vmail", "mailbox"), o.users(o.p.Park, "park", "parking", "orbit")
	for _, f := range c.Far {
		if f.Unexpected {
			continue
		}
		if len(f.Identity.Diversion) > before || slices.ContainsFunc(f.Identity.History, func(d Diverted) bool { return d.Reason != "" }) {
			found[FeatureForward] = true
		}
		if f.Party == "phone" {
			phones[f.To] = true
		}
		found[FeatureVoicemail] = found[FeatureVoicemail] || slices.Contains(voicemail, f.To)
		found[FeaturePark] = found[FeaturePark] || slices.Contains(park, f.To)
	}
	found[FeatureVoicemail] = found[FeatureVoicemail] || slices.Contains(voicemail, c.Called)
	found[FeaturePark] = found[FeaturePark] || slices.Contains(park, c.Called)
	found[FeatureHunt] = len(phones) > 1 && !found[FeatureForward]
	if h := o.p.Hours; h != nil && c.Method == "INVITE" {
		closed, ok := h.closed(time.Unix(0, c.At))
		if found[FeatureAfterHours] = closed; !ok && c.Missing == "" {
			c.Missing = MissingZone
		}
	}
	for f, has := range found {
		if has {
			c.Features = append(c.Features, f)
		}
	}
	slices.Sort(c.Features)
}

// featuresOf reads one message.
func (o *reading) featuresOf(m *message, found map[Feature]bool) {
	if d := m.sdp(); d != nil {
		for _, media := range d.Media {
			if media.Type == "image" && !media.Refused {
				found[FeatureFax] = true
			}
			if media.Held && !media.Refused && m.Request && !m.To.Tag.Empty() {
				found[FeatureHold] = true
			}
		}
	}
	switch {
	case !m.Request && m.method() == "INVITE" && (m.Status == 181 || m.Status/100 == 3):
		found[FeatureForward] = true
	case !m.Request:
	case m.Is("REFER"), m.Is("INVITE") && m.Find(wire.HReplaces) >= 0:
		found[FeatureTransfer] = true
		for _, a := range m.addresses(o.r, wire.HReferTo) {
			if slices.Contains(o.users(o.p.Park, "park", "parking", "orbit"), a) {
				found[FeaturePark] = true
			}
		}
	case m.Is("INFO"):
		switch m.value(wire.HContentType) {
		case "application/dtmf-relay", "application/dtmf", "application/vnd.nortelnetworks.digits":
			found[FeatureDTMF] = true
		}
	}
}

// users are the addresses of a profile's users, and of those that everybody has.
func (o *reading) users(list []string, known ...string) []Address {
	var all []Address
	for _, s := range append(known, list...) {
		all = append(all, o.r.Address(s))
	}
	return all
}

// A Scenario is a kind of call: "out/phone/pstn answered hold+dtmf", that is direction, origin, type of target, outcome,
// features. Anything but a call begins with its method: "register/phone answered".
type Scenario string

// Scenario is the kind of call that this one is. There are some thousands at most, whatever comes in.
func (c *Call) Scenario() Scenario {
	if c.Method == "" {
		return "unknown"
	}
	if c.Method != "INVITE" {
		return Scenario(strings.ToLower(c.Method) + "/" + c.Origin + " " + string(c.Outcome.Class))
	}
	target := c.target()
	direction := "internal"
	switch {
	case c.Origin == "trunk" || c.Origin == "carrier":
		direction = "in"
	case target == "pstn":
		direction = "out"
	}
	s := direction + "/" + c.Origin + "/" + target + " " + string(c.Outcome.Class)
	for i, f := range c.Features {
		if i == 0 {
			s += " " + string(f)
		} else {
			s += "+" + string(f)
		}
	}
	return Scenario(s)
}

// target is the type of what was called: by where the call went first, else by how it was called.
func (c *Call) target() string {
	phones := map[Address]bool{}
	first := ""
	for _, f := range c.Far {
		if f.Unexpected {
			continue
		}
		if first == "" {
			first = f.Party
		}
		if f.Party == "phone" {
			phones[f.To] = true
		}
	}
	switch {
	case first == "phone" && len(phones) > 1 && !slices.Contains(c.Features, FeatureForward):
		return "group"
	case first == "phone":
		return "phone"
	case first == "trunk" || first == "carrier":
		return "pstn"
	case first != "":
		return first
	}
	switch s := string(c.Called); {
	case s == "":
		return "none"
	case s[0] == '+' && c.Origin == "phone":
		return "pstn"
	case s[0] == '+':
		return "number"
	case s[0] == 'x' && strings.Contains(s, "~"):
		return "extension"
	case s[0] == 'n' && strings.HasPrefix(s, "n~"):
		return "name"
	}
	return "service"
}
