package record

import (
	"bytes"
	"strings"

	"github.com/hotcut/hotcut/proxy/wire"
)

// identity is who an INVITE says is calling.
func (o *reading) identity(m *message) Identity {
	id := o.connected(m)
	id.From = o.r.Address(string(m.From.URI.Of(m.Raw)))
	id.Named = !m.From.Name.Empty()
	id.Charge = set(m.addresses(o.r, wire.HPChargeInfo))
	id.Diversion = o.diverted(m, wire.HDiversion)
	id.History = o.diverted(m, wire.HHistoryInfo)
	return id
}

// connected is who a message asserts: on a response, who answers.
func (o *reading) connected(m *message) Identity {
	id := Identity{PAI: set(m.addresses(o.r, wire.HPAI)), RPID: set(m.addresses(o.r, wire.HRPID))}
	id.Privacy = set(privacyOf([]byte(m.value(wire.HPrivacy))))
	return id
}

// diverted reads Diversion and History-Info.
func (o *reading) diverted(m *message, field wire.HeaderID) []Diverted {
	var all []Diverted
	for e := range m.Elems(field) {
		if e.URI.Empty() {
			continue
		}
		uri := e.URI.Of(m.Raw)
		d := Diverted{Address: o.r.Address(string(uri))}
		if v, ok := wire.Param(e.Params.Of(m.Raw), "reason"); ok {
			d.Reason = strings.ToLower(string(v))
		}
		if cause := historyCause(uri); cause != "" {
			d.Reason = cause
		}
		all = append(all, d)
	}
	return all
}

// historyCause is why a History-Info's URI was left: the cause in its Reason header (RFC 7044 section 5), or that a Reason is
// there; else why it was chosen, its cause parameter (RFC 4458).
func historyCause(uri []byte) string {
	u, ok := wire.ParseURI(uri)
	if !ok {
		return ""
	}
	for part := range bytes.SplitSeq(u.Headers.Of(uri), []byte("&")) {
		name, value, _ := bytes.Cut(part, []byte("="))
		if !wire.EqualFold(name, "Reason") {
			continue
		}
		value = wire.AppendUnescaped(nil, value)
		protocol, params, _ := bytes.Cut(value, []byte(";"))
		if v, ok := wire.Param(params, "cause"); ok {
			return string(v)
		}
		return strings.ToLower(string(protocol))
	}
	cause, _ := wire.Param(u.Params.Of(uri), "cause")
	return string(cause)
}
