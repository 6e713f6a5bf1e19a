package lab

import (
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// onRegister is RFC 3261 section 10.3: who is it, for how long, then all or nothing.
func (s *Switch) onRegister(req *sip.Request, tx sip.ServerTransaction) {
	s.hear(req)
	key := keyOf(req.To().Address)
	by := s.admit(req, tx, key)
	if by == "" {
		return
	}
	now := s.guard.now()
	g, bad := s.asked(req, key, by, now)
	var bound []Binding
	if bad == nil {
		if bound, bad = s.reg.update(g, now); g.contacts == nil && !g.star {
			bound = s.reg.find(key, now) // a query
		}
	}
	if bad != nil {
		var extra []sip.Header
		if bad.code == 423 {
			extra = append(extra, sip.NewHeader("Min-Expires", seconds(s.minExpires)))
		}
		s.respond(req, tx, "", bad.code, bad.reason, nil, append(s.identity(), extra...)...)
		return
	}
	extra := append(s.identity(), s.thanks(by)...)
	for _, b := range bound {
		if s.listLast && !g.names(b) {
			continue
		}
		c := &sip.ContactHeader{Address: b.uri, Params: b.params.Clone()}
		c.Params.Add("expires", seconds(b.Expires.Sub(now)))
		extra = append(extra, c)
	}
	if !s.noPath {
		for _, h := range req.GetHeaders("Path") { // section 5.3 of RFC 3327: the 2xx repeats it
			extra = append(extra, sip.NewHeader("Path", h.Value()))
		}
	}
	if s.serviceRoute != "" {
		extra = append(extra, sip.NewHeader("Service-Route", s.serviceRoute))
	}
	s.respond(req, tx, "", 200, "OK", nil, extra...)
}

// names says whether a REGISTER was about a contact.
func (g registration) names(b Binding) bool {
	for _, c := range g.contacts {
		if c.Contact == b.Contact && c.CallID == b.CallID {
			return true
		}
	}
	return false
}

// asked reads what a REGISTER wants.
func (s *Switch) asked(req *sip.Request, key, by string, now time.Time) (registration, *refusal) {
	g := registration{key: key, callID: req.CallID().Value(), cseq: req.CSeq().SeqNo}
	usual := s.maxExpires
	if h := req.GetHeader("Expires"); h != nil {
		d, ok := expiry(h.Value())
		if !ok {
			return g, &refusal{400, "Bad Expires"}
		}
		usual = d
	}
	var path []sip.Uri
	if !s.noPath {
		path = paths(req)
	}
	for _, h := range req.GetHeaders("Contact") {
		c, ok := h.(*sip.ContactHeader)
		if !ok {
			continue
		}
		if c.Address.Wildcard {
			g.star = true
			continue
		}
		d := usual
		if v, has := c.Params.Get("expires"); has {
			if d, ok = expiry(v); !ok {
				return g, &refusal{400, "Bad Contact"}
			}
		}
		if d > 0 && d < s.minExpires {
			return g, &refusal{423, "Interval Too Brief"}
		}
		d = min(d, s.maxExpires)
		params := c.Params.Clone()
		params.Remove("expires")
		b := Binding{
			AoR: key, Contact: c.Address.String(), Params: params.ToString(';'), Expires: now.Add(d), Granted: d,
			CallID: g.callID, CSeq: g.cseq, By: by, Source: req.Source(),
			uri: c.Address, params: params, path: path, transport: req.Transport(),
		}
		for _, u := range path {
			b.Path = append(b.Path, u.String())
		}
		g.contacts = append(g.contacts, b)
	}
	if g.star && (len(g.contacts) > 0 || usual != 0) { // step 6
		return g, &refusal{400, "Bad Contact"}
	}
	return g, nil
}

// expiry reads delta-seconds of at most 32 bits.
func expiry(s string) (time.Duration, bool) {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 32)
	return time.Duration(n) * time.Second, err == nil
}

// seconds writes a duration as delta-seconds.
func seconds(d time.Duration) string { return strconv.Itoa(int(d.Round(time.Second).Seconds())) }

// paths reads the Path elements of a REGISTER.
func paths(req *sip.Request) []sip.Uri {
	var list []sip.Uri
	for _, h := range req.GetHeaders("Path") {
		for rest := h.Value(); rest != ""; {
			open, end := strings.IndexByte(rest, '<'), strings.IndexByte(rest, '>')
			if open < 0 || end < open {
				break
			}
			var u sip.Uri
			if sip.ParseUri(rest[open+1:end], &u) == nil {
				list = append(list, u)
			}
			rest = rest[end+1:]
		}
	}
	return list
}
