package lab

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Bounds of a registrar.
const (
	registrarAORs     = 4096
	registrarContacts = 8 // per AoR
	registrarMax      = time.Hour
)

// binding is one contact of an address-of-record.
type binding struct {
	contact   sip.Uri
	path      []sip.Uri // RFC 3327: how to reach it, in the order in which we send Route
	transport string
	expires   time.Time
}

// registrar is RFC 3261 section 10.3 without authentication: the lab's phones are its own.
type registrar struct {
	mu       sync.Mutex           // guards bindings
	bindings map[string][]binding // user@domain, domain in lower case
}

// find returns the newest live binding of an address-of-record.
func (r *registrar) find(aor string) (binding, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	live := r.live(aorKey(aor), time.Now())
	if len(live) == 0 {
		return binding{}, false
	}
	return live[len(live)-1], true
}

// live drops what has expired. r.mu is held.
func (r *registrar) live(key string, now time.Time) []binding {
	kept := r.bindings[key][:0]
	for _, b := range r.bindings[key] {
		if b.expires.After(now) {
			kept = append(kept, b)
		}
	}
	if len(kept) == 0 {
		delete(r.bindings, key)
		return nil
	}
	r.bindings[key] = kept
	return kept
}

// set replaces the binding of the same contact, or removes it when d is 0. It reports whether there was room.
func (r *registrar) set(key string, b binding, d time.Duration, now time.Time) bool {
	kept := make([]binding, 0, registrarContacts)
	for _, old := range r.live(key, now) {
		if old.contact.String() != b.contact.String() {
			kept = append(kept, old)
		}
	}
	if d > 0 {
		if len(kept) >= registrarContacts || (len(kept) == 0 && len(r.bindings) >= registrarAORs) {
			return false
		}
		b.expires = now.Add(d)
		kept = append(kept, b)
	}
	if len(kept) == 0 {
		delete(r.bindings, key)
	} else {
		r.bindings[key] = kept
	}
	return true
}

func (s *Switch) onRegister(req *sip.Request, tx sip.ServerTransaction) {
	s.hear(req)
	key := aorKey(req.To().Address.User + "@" + req.To().Address.Host)
	asked := registrarMax
	if h := req.GetHeader("Expires"); h != nil {
		seconds, err := strconv.ParseUint(strings.TrimSpace(h.Value()), 10, 32)
		if err != nil {
			s.refuse(req, tx, 400, "Bad Expires")
			return
		}
		asked = min(time.Duration(seconds)*time.Second, registrarMax)
	}
	path := paths(req)
	now := time.Now()

	s.reg.mu.Lock()
	room := true
	for _, h := range req.GetHeaders("Contact") {
		c, ok := h.(*sip.ContactHeader)
		if !ok {
			continue
		}
		if c.Address.Wildcard {
			delete(s.reg.bindings, key)
			continue
		}
		d := asked
		if v, has := c.Params.Get("expires"); has {
			if seconds, err := strconv.ParseUint(v, 10, 32); err == nil {
				d = min(time.Duration(seconds)*time.Second, registrarMax)
			}
		}
		room = room && s.reg.set(key, binding{contact: c.Address, path: path, transport: req.Transport()}, d, now)
	}
	live := append([]binding{}, s.reg.live(key, now)...)
	s.reg.mu.Unlock()

	if !room {
		s.refuse(req, tx, 503, "Service Unavailable")
		return
	}
	extra := s.identity()
	for _, b := range live {
		c := &sip.ContactHeader{Address: b.contact, Params: sip.NewParams()}
		c.Params.Add("expires", strconv.Itoa(int(b.expires.Sub(now).Round(time.Second).Seconds())))
		extra = append(extra, c)
	}
	for _, h := range req.GetHeaders("Path") { // section 5.3 of RFC 3327: the 2xx repeats it
		extra = append(extra, sip.NewHeader("Path", h.Value()))
	}
	s.respond(req, tx, "", 200, "OK", nil, extra...)
}

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

func aorKey(aor string) string {
	user, domain, _ := strings.Cut(aor, "@")
	return user + "@" + strings.ToLower(domain)
}
