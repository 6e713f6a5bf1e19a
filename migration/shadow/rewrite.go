package shadow

import (
	"strings"

	"github.com/hotcut/hotcut/proxy/wire"
)

// What becomes of a live header in the shadow's message. What is in neither list is scrubbed, names of hosts included.
var (
	// dropped: ours, the live network's, or somebody's credentials.
	dropped = headerSet(wire.HVia, wire.HFrom, wire.HTo, wire.HCallID, wire.HCSeq, wire.HMaxForwards, wire.HContact, wire.HRoute, wire.HRecordRoute, wire.HContentLength,
		wire.HContentType, wire.HContentEncoding, wire.HContentDisposition, wire.HPath, wire.HServiceRoute, wire.HIdentity, wire.HIdentityInfo, wire.HAuthorization, wire.HProxyAuthorization,
		wire.HWWWAuthenticate, wire.HProxyAuthenticate, wire.HAuthenticationInfo, wire.HProxyRequire, wire.HPChargeInfo, wire.HTimestamp, wire.HXHotcut, wire.HReplaces, wire.HJoin,
		wire.HTargetDialog, wire.HRAck, wire.HRSeq, wire.HReferTo, wire.HPAI, wire.HGeolocation)
	// plain: lists of words, in which a dot is no host's.
	plain = headerSet(wire.HExpires, wire.HMinExpires, wire.HRequire, wire.HSupported, wire.HUnsupported, wire.HAllow, wire.HAccept, wire.HAllowEvents, wire.HPrivacy, wire.HEvent,
		wire.HSessionExpires, wire.HMinSE, wire.HUserAgent, wire.HServer, wire.HDate, wire.HRetryAfter, wire.HSubject, wire.HRequestDisposition, wire.HSubscriptionState)
	// foreign are headers that say where the live network is, and that wire has no name for.
	foreign = []string{"p-visited-network-id", "p-access-network-info", "p-charging-vector", "p-charging-function-addresses", "p-called-party-id", "in-reply-to",
		"geolocation-routing", "security-client", "security-verify", "x-real-ip", "p-served-user"}
)

func headerSet(ids ...wire.HeaderID) (s [256]bool) {
	for _, id := range ids {
		s[id] = true
	}
	return s
}

// carry is the headers of a live request or response as the shadow's message has them: whole lines.
func (m *machine) carry(msg *wire.Message, t *tenant, trusted bool) string {
	var b strings.Builder
	for i := range msg.Headers {
		h := &msg.Headers[i]
		name := string(h.Name.Of(msg.Raw))
		if dropped[h.ID] || !trusted && h.ID == wire.HRPID {
			continue
		}
		if h.ID == wire.HOther && isForeign(name) {
			continue
		}
		v := string(msg.AppendUnfolded(nil, h.Value))
		b.WriteString(name + ": " + t.scrub.scrub(v, !plain[h.ID]) + "\r\n")
	}
	return b.String()
}

func isForeign(name string) bool {
	for _, f := range foreign {
		if wire.EqualFold(name, f) {
			return true
		}
	}
	return false
}

// asserted is the P-Asserted-Identity of a call, by which the dark core knows a caller that the edge has let pass (RFC 3325):
// a phone's own address, what a trunk or a carrier asserts of its caller, else its From.
func (m *machine) asserted(msg *wire.Message, t *tenant, party string) string {
	if party != "phone" {
		var b strings.Builder
		for e := range msg.Elems(wire.HPAI) {
			b.WriteString("P-Asserted-Identity: " + t.scrub.scrub(string(msg.AppendUnfolded(nil, e.Whole)), true) + "\r\n")
		}
		if b.Len() > 0 {
			return b.String()
		}
	}
	uri := t.address(msg.From.URI.Of(msg.Raw), party == "phone")
	if uri == "" || strings.Contains(uri, ".invalid") {
		return ""
	}
	return "P-Asserted-Identity: <" + uri + ">\r\n"
}

// address is a URI with the same user, of the tenant (home: whatever host it names) or, where its host is none of the tenant's, of the
// sink. Parameters stay, but for those that say how to get somewhere.
func (t *tenant) address(uri []byte, home bool) string {
	u, ok := wire.ParseURI(uri)
	scheme := strings.ToLower(string(u.Scheme.Of(uri)))
	if !ok || scheme == "tel" || scheme == "urn" {
		if !ok || scheme != "tel" && scheme != "urn" {
			return ""
		}
		return t.scrub.scrub(string(uri), false)
	}
	host := string(u.Host.Of(uri))
	switch {
	case t.scrub.ours(host) || strings.HasSuffix(strings.ToLower(host), ".invalid"):
	case home && len(t.scrub.domains) > 0:
		host = t.scrub.domains[0]
	default:
		host = t.scrub.sink
	}
	out := "sip:"
	if !u.User.Empty() {
		out += t.scrub.scrub(string(u.User.Of(uri)), false) + "@"
	}
	out += host
	for name, v := range wire.Params(u.Params.Of(uri)) {
		switch strings.ToLower(string(name)) {
		case "user", "phone-context", "cause", "isub", "npdi", "rn", "cic", "oli", "isup-oli":
			out += ";" + t.scrub.scrub(string(name), true)
			if len(v) > 0 {
				out += "=" + t.scrub.scrub(string(v), true)
			}
		}
	}
	return out
}

// party is the From or To of a live message for a message of ours, without a tag.
func (t *tenant) party(msg *wire.Message, a wire.NameAddr, home bool) string {
	uri := t.address(a.URI.Of(msg.Raw), home)
	if uri == "" {
		uri = "sip:" + t.scrub.sink
	}
	name := strings.TrimSpace(string(msg.AppendUnfolded(nil, a.Name)))
	if name != "" {
		name = t.scrub.scrub(name, true) + " "
	}
	return name + "<" + uri + ">"
}

// bodyOf is what a shadow message carries instead of a live one's body; note says what was left out.
func (m *machine) bodyOf(msg *wire.Message, t *tenant, v *voice) (kind string, body []byte, note string) {
	raw := msg.Body.Of(msg.Raw)
	if len(raw) == 0 {
		return "", nil, ""
	}
	if b := description(msg); b != nil {
		d, ok := readSDP(b)
		if !ok {
			return "", nil, "unreadable description left out"
		}
		return "application/sdp", v.describe(d), ""
	}
	full := value(msg, wire.HContentType)
	base, _, _ := strings.Cut(strings.ToLower(full), ";")
	switch base = strings.TrimSpace(base); base {
	case "application/dtmf-relay", "application/dtmf", "application/media_control+xml", "message/sipfrag":
		return base, []byte(t.scrub.scrub(string(raw), true)), ""
	}
	return "", nil, "body left out"
}
