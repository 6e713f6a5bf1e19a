package proxy

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/location"
	"github.com/hotcut/hotcut/proxy/wire"
)

// A REGISTER passes through three places:
//
//	readRegistration (here)    what the phone asks: its contacts get their ids
//	spliceRegister (here)      what the target is told: our Path, or our Contact; raised while armed
//	bind (bind.go)             what the 2xx says: only that becomes a binding; clamped while the tenant moves
//
// registration is what one REGISTER asks, kept until its final response.
type registration struct {
	tenant, aor, unit, to string
	contacts              []contact
	star                  bool // Contact: *
	asked                 int64
	raised                bool // the platform was asked for longer than the phone asked
	clamp                 bool // the tenant is about to move, moving or soaking
	agent                 string
}

// contact is one Contact of a REGISTER.
type contact struct {
	id              location.ID
	text            string // the element without its expires
	uri             string
	instance, regID string
	asked           int64 // seconds
	push            bool  // pn-*: it wakes by push, and its interval is between it and the platform
}

const (
	maxContacts    = 8    // of one REGISTER
	maxContactSize = 1500 // bytes of one
	maxExpires     = math.MaxUint32
	usualExpires   = 3600 // where a REGISTER says nothing (RFC 3261 section 10.2.1.1)
	armedExpires   = 86_400
)

// readRegistration reads what a phone's REGISTER asks. A query, without Contact, passes and binds nothing.
func (s *shard) readRegistration(a *arrival, h *hop) (*registration, rejection) {
	m, raw := a.m, a.m.Raw
	bad := rejection{code: 400, cause: causeBadRegister}
	to, ok := wire.ParseURI(m.To.URI.Of(raw))
	if !ok {
		return nil, bad
	}
	user := a.question.ToUser
	reg := &registration{unit: strings.Clone(a.query.Unit), to: string(m.To.URI.Of(raw)), asked: usualExpires}
	host := a.question.ToHost
	if host == "" {
		host = string(to.Host.Of(m.To.URI.Of(raw)))
	}
	if t := a.trace.Tenant; t != nil {
		reg.tenant, reg.clamp = t.Tenant.ID, t.Clamped(a.now/1e9)
		if len(t.Tenant.Domains) > 0 {
			host = t.Tenant.Domains[0]
		}
	}
	reg.aor = user + "@" + strings.ToLower(host)
	if i := m.Find(wire.HUserAgent); i >= 0 {
		reg.agent = string(m.Value(i)[:min(len(m.Value(i)), 64)])
	}
	if i := m.Find(wire.HExpires); i >= 0 {
		if reg.asked, ok = seconds(m.Value(i)); !ok {
			return nil, bad
		}
	}
	for e := range m.Elems(wire.HContact) {
		text := e.Whole.Of(raw)
		if e.URI.Empty() { // "*": Check has seen to it that it stands alone
			reg.star = true
			continue
		}
		c, ok := s.readContact(a, reg, &e, text)
		if !ok || len(reg.contacts) == maxContacts {
			return nil, bad
		}
		reg.contacts = append(reg.contacts, c)
	}
	return reg, rejection{}
}

func (s *shard) readContact(a *arrival, reg *registration, e *wire.Elem, text []byte) (c contact, ok bool) {
	raw := a.m.Raw
	uri := e.URI.Of(raw)
	u, ok := wire.ParseURI(uri)
	if !ok || len(text) > maxContactSize || a.topo.us(u.Host.Of(uri), u.Port) {
		return c, false
	}
	c = contact{uri: string(uri), asked: reg.asked}
	params := e.Params.Of(raw)
	if v, found := wire.Param(params, "expires"); found {
		if c.asked, ok = seconds(v); !ok {
			return c, false
		}
	}
	instance, _ := wire.Param(params, "+sip.instance")
	regID, _ := wire.Param(params, "reg-id")
	c.instance, c.regID = string(instance), string(regID)
	c.text = string(withoutExpires(text, e, raw))
	for name := range wire.Params(u.Params.Of(uri)) {
		c.push = c.push || len(name) > 3 && wire.EqualFold(name[:3], "pn-")
	}
	c.id = s.names.ID(reg.tenant, reg.aor, uri, instance, regID)
	return c, true
}

// leaves: the REGISTER takes every contact of it away.
func leaves(m *wire.Message) bool {
	all, zero := false, false
	if i := m.Find(wire.HExpires); i >= 0 {
		n, ok := seconds(m.Value(i))
		all = ok && n == 0
	}
	for e := range m.Elems(wire.HContact) {
		v, found := wire.Param(e.Params.Of(m.Raw), "expires")
		n, ok := seconds(v)
		if zero = found && ok && n == 0 || !found && all; !zero {
			return false
		}
	}
	return zero
}

// withoutExpires is a Contact element without its expires parameter.
func withoutExpires(text []byte, e *wire.Elem, raw []byte) []byte {
	at, ok := paramSpan(raw, e.Params, "expires")
	if !ok {
		return text
	}
	out := append([]byte(nil), raw[e.Whole.Start:at.Start]...)
	return append(out, raw[at.End:e.Whole.End]...)
}

// paramSpan finds a whole parameter, from its semicolon on.
func paramSpan(raw []byte, params wire.Span, name string) (at wire.Span, ok bool) {
	b := params.Of(raw)
	for i := 0; i < len(b); {
		j, quoted := i+1, false
		for ; j < len(b) && (quoted || b[j] != ';'); j++ {
			switch {
			case b[j] == '\\' && quoted:
				j++
			case b[j] == '"':
				quoted = !quoted
			}
		}
		j = min(j, len(b))
		p := b[i:j]
		if len(p) > 0 && p[0] == ';' {
			p = p[1:]
		}
		key, _, _ := bytes.Cut(p, []byte{'='})
		if wire.EqualFold(trim(key), name) {
			return wire.Span{Start: params.Start + uint32(i), End: params.Start + uint32(j)}, true
		}
		i = j
	}
	return at, false
}

func appendInt(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }

// seconds reads delta-seconds. RFC 3261 section 20.19 ends at 2**32-1; what is more is no registration.
func seconds(b []byte) (int64, bool) {
	b = trim(b)
	if len(b) == 0 || len(b) > 20 {
		return 0, false
	}
	n := int64(0)
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		if n = n*10 + int64(c-'0'); n > maxExpires {
			return 0, false
		}
	}
	return n, true
}

// spliceRegister writes what a target is told of the phone: our Contact where it does no Path (the Path itself is a
// header of ours and goes on top), and a longer time while the tenant is armed, so that a way back to legacy stays open
// for hours.
func (s *shard) spliceRegister(sp *wire.Splice, m *wire.Message, r *request, outL *listener) {
	reg := r.reg
	byContact := r.hop.target >= 0 && r.topo.targets[r.hop.target].byContact
	raise := reg.clamp && r.hop.platform == policy.Legacy
	reg.raised = raise
	n := 0
	for e := range m.Elems(wire.HContact) {
		if e.URI.Empty() || n >= len(reg.contacts) {
			continue
		}
		c := &reg.contacts[n]
		n++
		if byContact {
			sp.Replace(e.URI, bracketed(m.Raw, &e, appendReachURI(nil, c.id, c.uri, outL)))
		}
		if raise && c.asked > 0 && c.asked < armedExpires {
			if at, ok := paramSpan(m.Raw, e.Params, "expires"); ok {
				sp.Replace(at, []byte(";expires=86400"))
			}
		}
	}
	if i := m.Find(wire.HExpires); raise && i >= 0 && reg.asked > 0 && reg.asked < armedExpires {
		sp.Replace(m.Headers[i].Value, []byte("86400"))
	} else if raise && i < 0 && reg.lasting() {
		sp.EndHeaders([]byte("Expires: 86400\r\n"))
	}
}

// bracketed puts a URI into angle brackets where the element had none: else it would swallow the element's parameters.
func bracketed(raw []byte, e *wire.Elem, uri []byte) []byte {
	if e.URI.Start > e.Whole.Start && raw[e.URI.Start-1] == '<' {
		return uri
	}
	return append(append([]byte{'<'}, uri...), '>')
}

// lasting: no contact of it goes away.
func (reg *registration) lasting() bool {
	for i := range reg.contacts {
		if reg.contacts[i].asked == 0 {
			return false
		}
	}
	return len(reg.contacts) > 0
}

// appendReachURI is the Contact URI by which a target without Path reaches a phone: user = binding id, host ours, its
// other parameters as the phone wrote them; but the transport is that of our listener.
func appendReachURI(dst []byte, id location.ID, uri string, l *listener) []byte {
	dst = append(id.Append(append(dst, "sip:"...)), '@')
	dst = append(dst, l.reachHost()...)
	dst = appendTransport(dst, l)
	u, ok := wire.ParseURI([]byte(uri))
	if !ok {
		return dst
	}
	for name, value := range wire.Params(u.Params.Of([]byte(uri))) {
		if wire.EqualFold(name, "transport") {
			continue
		}
		dst = append(append(dst, ';'), name...)
		if len(value) > 0 {
			dst = append(append(dst, '='), value...)
		}
	}
	return dst
}
