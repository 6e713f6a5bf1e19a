package shadow

import (
	"strings"

	"github.com/hotcut/hotcut/proxy/tap"
	"github.com/hotcut/hotcut/proxy/wire"
)

// escaped takes a message that the edge has refused as a copy. Anybody can write a mark, and a stranger's datagram must not end
// mirroring: only what comes from a dark core's address, or has what only we can have made, is one that got out.
func (m *machine) escaped(ev *tap.Event, raw []byte) {
	if ev.Party != tap.Dark && (m.msg.Scan(raw, nil) != wire.FaultNone || !m.genuine(&m.msg)) {
		m.drop(DropForged)
		return
	}
	m.escape("a message of the shadow's reached a listener that is not the shadow's, from the side of: " + ev.Party.String())
}

// genuine reports whether a message is of a shadow call: its mark has our MAC, it goes to a phone as only dark cores know it, or it is in a
// dialog of ours.
func (m *machine) genuine(r *wire.Message) bool {
	for i := range r.Headers {
		h := &r.Headers[i]
		if h.ID == wire.HXHotcut && wire.EqualFold(h.Name.Of(r.Raw), markHeader) {
			if _, ok := m.id.marked(string(r.AppendUnfolded(nil, h.Value))); ok {
				return true
			}
		}
	}
	if r.Request {
		if user := userOf(r.RequestURI.Of(r.Raw)); strings.HasPrefix(user, sinkPrefix) && m.tokens[user] != nil {
			return true
		}
	}
	callID := string(r.CallID.Of(r.Raw))
	return m.dialogs[callID+"\x00"+tagOf(r, r.From)] != nil || m.dialogs[callID+"\x00"+tagOf(r, r.To)] != nil
}
