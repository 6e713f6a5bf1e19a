package shadow

import (
	"strings"

	"github.com/hotcut/hotcut/proxy/wire"
)

// sink takes a request of a dark core that is in no dialog: what it sends out for its calls, and what else it does.
func (m *machine) sink(s *server, r *wire.Message) {
	if s.method == "INVITE" {
		if m.canaryArrived(s.dark, r) {
			m.reply(s, r, 486, "Busy Here", "", "", nil)
			return
		}
		if m.stopped != "" {
			m.reply(s, r, 503, "Service Unavailable", "", "", nil)
			return
		}
		m.hear(s, r)
		return
	}
	switch s.method {
	case "OPTIONS":
		m.reply(s, r, 200, "OK", allowLine, "", nil)
	case "REGISTER": // its trunk's registration
		m.stats.Unexpected++
		m.reply(s, r, 200, "OK", registered(r), "", nil)
	case "NOTIFY", "MESSAGE", "INFO", "PUBLISH":
		m.stats.Unexpected++
		m.reply(s, r, 200, "OK", "", "", nil)
	case "SUBSCRIBE":
		m.stats.Unexpected++
		m.reply(s, r, 489, "Bad Event", "", "", nil)
	case "BYE", "UPDATE", "PRACK":
		m.reply(s, r, 481, "Call/Transaction Does Not Exist", "", "", nil)
	default:
		m.stats.Unexpected++
		m.reply(s, r, 501, "Not Implemented", "", "", nil)
	}
}

// registered are the Contacts of a REGISTER that asks to be bound, and for how long they are.
func registered(r *wire.Message) string {
	var b strings.Builder
	for e := range r.Elems(wire.HContact) {
		if b.Len() > 512 {
			break
		}
		b.WriteString("Contact: " + string(r.AppendUnfolded(nil, e.Whole)) + "\r\n")
	}
	if n, ok := number(value(r, wire.HExpires)); ok {
		b.WriteString("Expires: " + itoa(n) + "\r\n")
	}
	return b.String()
}

// recordRoutes are the Record-Routes of an INVITE as its dialog-forming responses repeat them (RFC 3261 section 12.1.1).
func recordRoutes(r *wire.Message) string {
	var b strings.Builder
	n := 0
	for e := range r.Elems(wire.HRecordRoute) {
		if n++; n > maxRoutes {
			break
		}
		b.WriteString("Record-Route: " + string(r.AppendUnfolded(nil, e.Whole)) + "\r\n")
	}
	return b.String()
}

// carryBack is the headers of a live callee's response that the twin's has: those that change what the dark core does or tells its caller.
func (m *machine) carryBack(r *wire.Message, t *tenant) string {
	var b strings.Builder
	for i := range r.Headers {
		h := &r.Headers[i]
		switch h.ID {
		case wire.HReason, wire.HRetryAfter, wire.HWarning, wire.HPrivacy, wire.HPAI, wire.HRPID, wire.HAlertInfo, wire.HCallInfo:
		case wire.HOther:
			if n := strings.ToLower(string(h.Name.Of(r.Raw))); n != "p-early-media" {
				continue
			}
		default:
			continue
		}
		b.WriteString(string(h.Name.Of(r.Raw)) + ": " + t.scrub.scrub(string(r.AppendUnfolded(nil, h.Value)), true) + "\r\n")
	}
	return b.String()
}

// redirects are the Contacts of a 3xx: the same users, at the sink or at the tenant's domain.
func (t *tenant) redirects(r *wire.Message) string {
	var b strings.Builder
	for e := range r.Elems(wire.HContact) {
		if uri := t.address(e.URI.Of(r.Raw), false); uri != "" && b.Len() < 1024 {
			b.WriteString("Contact: <" + uri + ">\r\n")
		}
	}
	return b.String()
}
