package policy

import (
	"net/netip"
	"strings"
	"unsafe"
)

// Question is a request in the words of its headers, split but not interpreted. Strings may alias a receive buffer.
// To is the Request-URI, except for REGISTER, where it is the To header (the AoR).
type Question struct {
	Method         string
	ToUser, ToHost string // user part as it stands, without parameters of the URI; host in any case without port, "" for one of the edge's own names
	FromUser       string
	FromHost       string
	ToTel          bool           // tel URI: the user part is a number
	Source         netip.AddrPort // where it came from
	Transport      string         // "udp", "tcp", "tls"
	Carrier        bool           // the source is a configured carrier
	NumberFormat   string         // the carrier's, see CheckNumberFormat
	FromPlatform   Platform       // the source is one of the platforms
	Now            int64          // unix seconds
	Mirror         uint16         // hash of Call-ID in [0, FullShare)
}

// Trace is how a Question was understood, for explain and call records. Its strings, and those of the Query, live in its
// buffers: they are valid until it is used again.
type Trace struct {
	Tenant    *Record
	Trunk     *Trunk
	Direction Direction
	Matched   string // by what the tenant was found: "trunk", "domain", "from-domain", "number", "none"

	RawCalled, RawCaller string // user parts as they stood

	called, caller   [maxDigits + 1]byte
	nCalled, nCaller int
	host             [256]byte
	decTo, decFrom   [maxUnit]byte
}

// Called is the called number in E.164 with +, "" if it was none.
func (t *Trace) Called() string { return alias(t.called[:t.nCalled]) }

// Caller is the calling number in E.164 with +, "" if it was none.
func (t *Trace) Caller() string { return alias(t.caller[:t.nCaller]) }

// alias lets a buffer of a Trace be read as a string: the path of a call must not allocate, and Trace promises that
// the string is good only until the Trace is used again.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// Resolve finds out whom a request is about: the tenant, the direction seen from it, the unit, the called number.
// It is pure and allocates nothing. The tenant is, first match wins: of a carrier's call that of the called number; else the
// PBX trunk's of the source, the Request-URI's domain's, the From domain's, the called number's.
//
// The unit is the caller for outbound and internal calls and the callee for inbound ones; for REGISTER it is the AoR.
// What comes from a platform is on its way to a phone or out: its unit is the callee where that is the tenant's own,
// since the question is who serves that phone.
func (s *Snapshot) Resolve(q *Question, tr *Trace) Query {
	tr.Tenant, tr.Trunk, tr.Direction, tr.Matched = nil, nil, AnyDirection, "none"
	tr.RawCalled, tr.RawCaller, tr.nCalled, tr.nCaller = q.ToUser, q.FromUser, 0, 0
	if q.Carrier && q.FromPlatform == NoPlatform {
		s.resolveCarrier(q, tr)
	} else {
		s.resolveTenant(q, tr)
	}
	emergency := q.FromPlatform == NoPlatform && !q.Carrier && q.Method != "REGISTER" && tr.Tenant.IsEmergency(q.ToUser)
	if emergency {
		tr.nCalled = 0 // 0112 behind an outside prefix is no local number
		if tr.Tenant != nil {
			tr.Direction = Outbound
		}
	}
	out := Query{
		Emergency: emergency, Method: q.Method, Direction: tr.Direction, Tenant: tr.Tenant, Number: tr.Called(), From: q.FromPlatform,
		Mirror: q.Mirror, Now: q.Now, Source: q.Source.Addr(),
	}
	if tr.Trunk != nil {
		out.Trunk = tr.Trunk.Name
	}
	if tr.Tenant == nil {
		return out
	}
	if tr.Direction == Inbound || q.Method == "REGISTER" {
		out.Unit = tr.Tenant.unitOf(q.ToUser, tr.Called(), &tr.decTo)
	} else {
		out.Unit = tr.Tenant.unitOf(q.FromUser, tr.Caller(), &tr.decFrom)
	}
	return out
}

// resolveCarrier: a carrier's call belongs to whom the called number belongs to, and to nobody else.
func (s *Snapshot) resolveCarrier(q *Question, tr *Trace) {
	tr.nCalled = len(AppendNormalised(tr.called[:0], q.NumberFormat, q.ToUser))
	tr.nCaller = len(AppendNormalised(tr.caller[:0], q.NumberFormat, q.FromUser))
	if tr.nCalled == 0 {
		return
	}
	if r := s.ByNumber(tr.Called()); r != nil {
		tr.Tenant, tr.Matched, tr.Direction = r, "number", Inbound
	}
}

func (s *Snapshot) resolveTenant(q *Question, tr *Trace) {
	var trunkOwner *Record
	if q.FromPlatform == NoPlatform {
		trunkOwner, tr.Trunk = s.ByTrunk(q.Source, q.Transport)
	}
	to := s.byHost(q.ToHost, tr)
	from := s.byHost(q.FromHost, tr)
	switch {
	case trunkOwner != nil:
		tr.Tenant, tr.Matched = trunkOwner, "trunk"
	case to != nil:
		tr.Tenant, tr.Matched = to, "domain"
	case from != nil:
		tr.Tenant, tr.Matched = from, "from-domain"
	}
	if tr.Tenant == nil {
		var plain dialPlan // no tenant, no dialling habits: only what is E.164 by itself
		tr.nCalled = len(plain.append(tr.called[:0], q.ToUser))
		if tr.nCalled > 0 {
			tr.Tenant = s.ByNumber(tr.Called())
		}
		if tr.Tenant == nil {
			tr.nCaller = len(plain.append(tr.caller[:0], q.FromUser))
			return
		}
		tr.Matched = "number"
	}
	r := tr.Tenant
	tr.nCalled = len(r.Normalise(tr.called[:0], q.ToUser))
	tr.nCaller = len(r.Normalise(tr.caller[:0], q.FromUser))
	if q.Method == "REGISTER" {
		return
	}
	tr.Direction = s.direction(q, tr, to, from)
}

// direction of a request seen from the tenant that was found.
func (s *Snapshot) direction(q *Question, tr *Trace, to, from *Record) Direction {
	r := tr.Tenant
	callee := false // the callee is a unit of the tenant
	switch {
	case tr.nCalled > 0:
		callee = s.ByNumber(tr.Called()) == r
		if !callee && to == r {
			_, callee = r.known[tr.Called()] // a user that is named like a number
		}
	case to == r:
		callee = true // a name, feature code or extension in its own domain
	case to == nil && q.ToHost == "":
		callee = tr.Matched != "number" // a short extension belongs to the caller's tenant
	case to == nil && tr.Trunk != nil:
		callee = !q.ToTel // a PBX dials an extension at whatever address it knows us by
	}
	caller := tr.Trunk != nil || from == r
	if !caller && q.FromHost == "" && from == nil && tr.Matched == "domain" {
		caller = r.names(q.FromUser) || tr.nCaller > 0 && s.ByNumber(tr.Caller()) == r
	}
	switch {
	case q.FromPlatform != NoPlatform && callee:
		return Inbound
	case !caller:
		return Inbound
	case callee:
		return Internal
	}
	return Outbound
}

// names reports whether the record mentions a user or alias.
func (r *Record) names(user string) bool {
	if _, ok := r.known[user]; ok {
		return true
	}
	_, ok := r.Tenant.Users[user]
	return ok
}

// byHost looks a host up in lower case.
func (s *Snapshot) byHost(host string, tr *Trace) *Record {
	if host == "" || len(host) > len(tr.host) {
		return nil
	}
	for i := range len(host) {
		if c := host[i]; c >= 'A' && c <= 'Z' {
			b := tr.host[:len(host)]
			for j := range len(host) {
				c := host[j]
				if c >= 'A' && c <= 'Z' {
					c += 'a' - 'A'
				}
				b[j] = c
			}
			host = alias(b)
			break
		}
	}
	return s.ByDomain(host)
}

// unitOf finds the unit behind a user part: as a user or alias of the record, else as a number, else as itself.
// "" is nobody's: bad_unit. buf holds the user part if it must be percent-decoded.
func (r *Record) unitOf(user, e164 string, buf *[maxUnit]byte) string {
	user, _, _ = strings.Cut(user, ";")
	if strings.IndexByte(user, '%') >= 0 {
		user = percentDecode(user, buf)
	}
	if user == "" || len(user) > maxUnit {
		return ""
	}
	if u, ok := r.Tenant.Users[user]; ok {
		return u
	}
	if _, ok := r.known[user]; ok {
		return user
	}
	if e164 != "" {
		return r.Unit(e164)
	}
	return user
}

// percentDecode undoes the escapes of a user part (RFC 3261 section 19.1.2), its case kept. What is too long or
// malformed gives "".
func percentDecode(s string, buf *[maxUnit]byte) string {
	b := buf[:0]
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if i+2 >= len(s) {
				return ""
			}
			h, ok1 := unhex(s[i+1])
			l, ok2 := unhex(s[i+2])
			if !ok1 || !ok2 {
				return ""
			}
			c = h<<4 | l
			i += 2
		}
		if len(b) == cap(b) {
			return ""
		}
		b = append(b, c)
	}
	return alias(b)
}
