package shadow

import (
	"net/url"
	"strings"

	"github.com/hotcut/hotcut/proxy/wire"
)

// replacing is the Replaces of a live INVITE (RFC 3891) as the shadow's says it: of the shadow of the dialog that it names, "" where that has
// none.
func (m *machine) replacing(t *tenant, r *wire.Message) string {
	v := value(r, wire.HReplaces)
	if v == "" {
		return ""
	}
	if ours := m.translated(t, v); ours != "" {
		return "Replaces: " + ours + "\r\n"
	}
	return ""
}

// translated turns "call-id;to-tag=x;from-tag=y" of a live dialog into that of its shadow; early-only stays.
func (m *machine) translated(t *tenant, v string) string {
	callID, params, _ := strings.Cut(v, ";")
	callID = strings.TrimSpace(callID)
	to, _ := wire.Param([]byte(params), "to-tag")
	from, _ := wire.Param([]byte(params), "from-tag")
	_, early := wire.Param([]byte(params), "early-only")
	var d *dialog
	swap := false // the recipient's tag stands in to-tag: the platform's, unless the live tags say otherwise
	for i, tag := range []string{string(from), string(to)} {
		if c := m.calls[callKey("INVITE", callID, tag)]; c != nil && c.t == t {
			d, swap = c.agent.d, i == 1
			break
		}
		if l := m.lives[callID+"\x00"+tag]; l != nil && l.t == t && l.twin != nil {
			d, swap = l.twin.d, i == 0
			break
		}
	}
	if d == nil || d.tag == "" {
		return ""
	}
	theirs, ours := d.tag, d.ourTag
	if swap != d.called {
		theirs, ours = ours, theirs
	}
	out := d.callID + ";to-tag=" + theirs + ";from-tag=" + ours
	if early {
		out += ";early-only"
	}
	return out
}

// referTo is the Refer-To line of a live REFER as the shadow's says it: the same user, and a Replaces of a shadow dialog. "" where there is nobody
// to refer to.
func (m *machine) referTo(t *tenant, r *wire.Message) string {
	var uri []byte
	for e := range r.Elems(wire.HReferTo) {
		uri = e.URI.Of(r.Raw)
		break
	}
	u, ok := wire.ParseURI(uri)
	if !ok {
		return ""
	}
	out := t.address(uri, false)
	if out == "" {
		return ""
	}
	if b := m.tokenOf(t, userOf(uri), ""); b != nil && !t.scrub.ours(string(u.Host.Of(uri))) { // a phone's Contact
		out = b.aor
	}
	for part := range strings.SplitSeq(string(u.Headers.Of(uri)), "&") {
		name, v, _ := strings.Cut(strings.TrimPrefix(part, "?"), "=")
		if !strings.EqualFold(name, "Replaces") {
			continue
		}
		plain, err := url.PathUnescape(v)
		if err != nil {
			continue
		}
		if ours := m.translated(t, plain); ours != "" {
			out += "?Replaces=" + url.QueryEscape(ours)
		}
	}
	return "Refer-To: <" + out + ">\r\n"
}
