package shadow

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hotcut/hotcut/proxy/tap"
	"github.com/hotcut/hotcut/proxy/wire"
)

// binding is one phone as a dark core knows it: registered by us, its Contact a token at the sink.
type binding struct {
	t        *tenant
	token    string // user of the Contact
	aor      string // URI
	id       string // of the live binding, which some platforms call the phone by
	user     string // of the live Contact
	instance string

	want   bool // live
	has    bool // the dark core has it, as far as we know
	queued bool
	flying bool
	due    int64 // unix ns of the next REGISTER
	seq    uint32
}

// lane is what waits to be registered at one dark core, at its pace.
type lane struct {
	queue   []*binding
	credit  float64
	filled  int64
	flying  int
	held    int
	refused uint64
}

const (
	lookEvery    = 10 * time.Second
	registerFor  = 3600 // seconds that are asked
	registerWait = time.Minute
	maxBindings  = 1 << 17
	maxFlying    = 256
)

// tokenFor is the user of the Contact by which the dark core reaches a phone.
func (m *machine) tokenFor(t *tenant, aorUser, user, instance string) string {
	return sinkPrefix + m.id.token(10, "binding", t.id, strings.ToLower(aorUser), user, instance)
}

// pace compares the live bindings with the registered ones, tenant by tenant, and sends what is due.
func (m *machine) pace() {
	if m.stopped != "" {
		return
	}
	for _, t := range m.tenants {
		if m.now-t.looked >= int64(lookEvery) {
			m.look(t)
		}
	}
	for _, d := range m.darks {
		m.drain(d)
	}
}

// look takes the tenant's live bindings: what is new is registered, what is gone is removed, what is due is refreshed.
func (m *machine) look(t *tenant) {
	t.looked = m.now
	if m.o.Bindings == nil {
		return
	}
	live := map[string]bool{}
	for _, x := range m.o.Bindings(t.id) {
		if !x.Here {
			continue // another edge's, which has the sink for it
		}
		b := m.known(t, &x)
		if b == nil {
			continue
		}
		live[b.token] = true
		b.want = true
		b.id = x.ID
		if m.recorded == nil && b.due <= m.now {
			m.enqueue(b)
		}
	}
	for _, b := range t.bindings {
		if !live[b.token] && b.want {
			b.want = false
			if m.lapse(b); m.recorded == nil {
				m.enqueue(b)
			}
		}
	}
}

// known is the binding of a live one, made where it is new; nil: there are too many.
func (m *machine) known(t *tenant, x *tap.Binding) *binding {
	aor := t.address([]byte(x.To), true)
	if aor == "" {
		aor = t.address([]byte(x.AoR), true)
	}
	if aor == "" {
		return nil
	}
	token := m.tokenFor(t, userOf([]byte(aor)), x.User, x.Instance)
	if b := t.bindings[token]; b != nil {
		return b
	}
	if len(m.tokens) >= maxBindings {
		m.drop(DropTable)
		return nil
	}
	b := &binding{t: t, token: token, aor: aor, user: x.User, instance: x.Instance}
	t.bindings[token], m.tokens[token] = b, b
	return b
}

func (m *machine) enqueue(b *binding) {
	if b.queued || b.flying {
		return
	}
	b.queued = true
	l := &b.t.dark.lane
	l.queue = append(l.queue, b)
}

// drain sends the REGISTERs that a dark core has credit for.
func (m *machine) drain(d *dark) {
	l := &d.lane
	rate := float64(m.o.RegisterPer)
	l.credit = min(l.credit+rate*float64(m.now-max(l.filled, m.now-int64(time.Second)))/1e9, rate)
	l.filled = m.now
	n := 0
	for ; n < len(l.queue) && l.credit >= 1 && l.flying < maxFlying; n++ {
		b := l.queue[n]
		b.queued = false
		if b.want && b.has && b.due > m.now || !b.want && !b.has {
			m.lapse(b)
			continue
		}
		l.credit--
		m.register(d, b, "")
	}
	l.queue = slices.Delete(l.queue, 0, n)
}

// lapse forgets a binding that is neither wanted nor held.
func (m *machine) lapse(b *binding) {
	if b.want || b.has || b.flying || b.queued {
		return
	}
	delete(b.t.bindings, b.token)
	if m.tokens[b.token] == b {
		delete(m.tokens, b.token)
	}
}

// register sends the REGISTER of a binding, or the one that removes it. answer is the header line that answers a challenge, "" in the first.
func (m *machine) register(d *dark, b *binding, answer string) {
	b.seq = max(b.seq+1, uint32(m.now/int64(time.Second)))
	expires := 0
	if b.want {
		expires = registerFor
	}
	branch := m.id.branch()
	raw := make([]byte, 0, 1024)
	raw = append(raw, "REGISTER "+registrarOf(b.aor)+" SIP/2.0\r\n"...)
	raw = wire.AppendVia(raw, "UDP", d.sink.String(), []byte(branch), nil)
	raw = append(raw, "Max-Forwards: 70\r\nFrom: <"+b.aor+">;tag="+m.id.fresh("tag")+"\r\nTo: <"+b.aor+">\r\nCall-ID: "+m.id.token(16, "register", b.token)+
		"\r\nCSeq: "+strconv.FormatUint(uint64(b.seq), 10)+" REGISTER\r\nContact: <sip:"+b.token+"@"+d.sink.String()+">;expires="+itoa(expires)+
		"\r\nExpires: "+itoa(expires)+"\r\nP-Asserted-Identity: <"+b.aor+">\r\n"+markHeader+": "+m.id.mark("register")+"\r\n"+answer+"Content-Length: 0\r\n\r\n"...)
	wanted := b.want
	if _, ok := m.request(d, "REGISTER", branch, raw, func(r *wire.Message) { m.registered(d, b, wanted, answer != "", r) }); !ok {
		b.due = m.now + int64(registerWait)
		return
	}
	b.flying = true
	d.lane.flying++
}

// registered takes the answer to a REGISTER of ours; nil: none came. asked: it had answered a challenge.
func (m *machine) registered(d *dark, b *binding, wanted, asked bool, r *wire.Message) {
	if r != nil && r.Status < 200 {
		return
	}
	b.flying = false
	d.lane.flying--
	if r != nil && (r.Status == 401 || r.Status == 407) && !asked && m.o.Answer != nil && b.want == wanted {
		if line := m.o.Answer(r, "REGISTER", registrarOf(b.aor), b.aor); line != "" {
			m.register(d, b, line)
			return
		}
	}
	had := b.has
	switch {
	case r != nil && r.Status < 300:
		b.has = wanted
		b.due = m.now + int64(granted(r, b.token))*int64(time.Second)/2
	case !wanted: // it lapses at the dark core by itself
		b.has = false
	default:
		d.lane.refused++
		b.has = false
		b.due = m.now + int64(registerWait)
	}
	switch {
	case b.has && !had:
		d.lane.held++
	case !b.has && had:
		d.lane.held--
	}
	if b.want != b.has && b.want != wanted {
		m.enqueue(b)
	}
	m.lapse(b)
}

// granted is for how many seconds a 2xx holds our Contact: half a minute at least, and no longer than was asked.
func granted(r *wire.Message, token string) int {
	secs := registerFor
	if n, ok := number(value(r, wire.HExpires)); ok {
		secs = n
	}
	for e := range r.Elems(wire.HContact) {
		if userOf(e.URI.Of(r.Raw)) != token {
			continue
		}
		if v, ok := wire.Param(e.Params.Of(r.Raw), "expires"); ok {
			if n, ok := number(string(v)); ok {
				secs = n
			}
		}
	}
	return min(max(secs, 30), registerFor)
}

func registrarOf(aor string) string {
	_, host, _ := strings.Cut(aor, "@")
	host, _, _ = strings.Cut(host, ";")
	return "sip:" + host
}

// unregister removes the bindings of a tenant that is mirrored no more.
func (m *machine) unregister(t *tenant) {
	for _, b := range t.bindings {
		b.want = false
		if m.lapse(b); m.recorded == nil {
			m.enqueue(b)
		}
	}
}

// phoneOf is the phone that a live far leg's INVITE goes to, nil: none that we know, or more than one.
func (m *machine) phoneOf(t *tenant, r *wire.Message) *binding {
	user := userOf(r.RequestURI.Of(r.Raw))
	return m.tokenOf(t, user, userOf(r.To.URI.Of(r.Raw)))
}

// tokenOf finds a phone by the user of its Contact, or by the id by which a platform may call it; to, where it is not empty, decides
// between several.
func (m *machine) tokenOf(t *tenant, user, to string) *binding {
	if user == "" {
		return nil
	}
	var found *binding
	n, exact := 0, 0
	var best *binding
	for _, b := range t.bindings {
		if b.id == user {
			return b
		}
		if b.user != user {
			continue
		}
		found = b
		n++
		if sameParty(userOf([]byte(b.aor)), to) {
			best = b
			exact++
		}
	}
	switch {
	case n == 1:
		return found
	case exact == 1:
		return best
	}
	return nil
}

// contacts are the Contacts of a live REGISTER, as that of the shadow has them: the tokens of the phones.
func (m *machine) contacts(t *tenant, r *wire.Message) string {
	t.looked = 0 // what it changes is looked at soon
	aor := userOf(r.To.URI.Of(r.Raw))
	var b strings.Builder
	n := 0
	for e := range r.Elems(wire.HContact) {
		if n++; n > 8 {
			break
		}
		if string(e.Whole.Of(r.Raw)) == "*" {
			b.WriteString("Contact: *\r\n")
			continue
		}
		params := e.Params.Of(r.Raw)
		inst, _ := wire.Param(params, "+sip.instance")
		token := m.tokenFor(t, aor, userOf(e.URI.Of(r.Raw)), strings.Trim(string(inst), `"`))
		b.WriteString("Contact: <sip:" + token + "@" + t.dark.sink.String() + ">")
		for _, name := range []string{"expires", "q"} {
			if v, ok := wire.Param(params, name); ok && len(v) < 16 {
				b.WriteString(";" + name + "=" + string(v))
			}
		}
		b.WriteString("\r\n")
	}
	return b.String()
}
