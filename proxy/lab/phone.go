package lab

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"
)

// PhoneOptions say whose phone it is and where it sends.
type PhoneOptions struct {
	AOR       string         // user@domain
	Password  string         // empty: what is challenged fails
	Proxy     netip.AddrPort // outbound proxy: an edge's outside address
	Transport string         // "udp" (default) or "tcp"
	IP        netip.Addr     // own address; default 127.0.0.1
	NAT       *NAT           // the box that a phone over UDP sits behind; nil: none
	Instance  string         // +sip.instance (RFC 5626 section 4.1); default a new urn:uuid
	RegID     int            // reg-id; 0: none
	Rings     bool           // rings until PickUp or CANCEL, instead of answering at once
	RingsFor  time.Duration  // or answers after so long
	Log       *slog.Logger

	// Loses says which packets of audio get lost, on their way from the phone or to it; nil: none on purpose.
	Loses func(packet []byte, outbound bool) bool
}

// Phone is a user agent of one address-of-record. It places calls, answers them, stays registered and watches lamps.
//
// It is as touchy as a desk phone: it keeps its Call-ID for life and uses a nonce until it is challenged; a challenge without
// stale=true for credentials that it has sent is a failed login, after which it registers no more, because a real one would
// show its user a password prompt. It looks for its own Contact, byte for byte, in the 2xx of its REGISTER.
type Phone struct {
	*agent
	aor       sip.Uri
	proxy     string
	transport string
	name      string // product name, also the session name of its SDP
	instance  string
	regID     int
	rings     bool
	ringsFor  time.Duration

	// Received is what reached the phone: calls to it, and requests in calls that it placed.
	Received *Journal

	wallet *wallet
	reg    enrolment
	pings  atomic.Int64

	mu     sync.Mutex // guards what follows
	placed map[string]*Call
	taken  map[string]*dialog
	lamps  map[string]*Lamp // by Call-ID of the subscription
	pickUp chan struct{}    // closed and replaced by PickUp
}

// A phone holds so many calls at once; more are refused.
const phoneCalls = 1024

// NewPhone binds the phone's sockets. Run makes it work.
func NewPhone(o PhoneOptions) (*Phone, error) {
	aor, err := parseURI(o.AOR)
	if err != nil {
		return nil, err
	}
	if !o.IP.IsValid() {
		o.IP = netip.MustParseAddr("127.0.0.1")
	}
	p := &Phone{
		aor: aor, proxy: o.Proxy.String(), transport: strings.ToUpper(o.Transport), name: "lab-phone",
		instance: o.Instance, regID: o.RegID, rings: o.Rings, ringsFor: o.RingsFor,
		Received: newJournal(), wallet: &wallet{user: aor.User, password: o.Password},
		reg:    enrolment{callID: newCallID("reg"), changed: make(chan struct{})},
		placed: make(map[string]*Call), taken: make(map[string]*dialog), lamps: make(map[string]*Lamp), pickUp: make(chan struct{}),
	}
	if p.instance == "" {
		p.instance = "urn:uuid:" + uuid()
	}
	in := agentOptions{ip: o.IP, name: p.name, log: o.Log, nat: o.NAT, ping: func() { p.pings.Add(1) }, loses: o.Loses}
	switch p.transport {
	case "":
		p.transport = "UDP"
	case "UDP":
	case "TCP":
		in.proxy = o.Proxy
	default:
		return nil, fmt.Errorf("lab: a phone speaks udp or tcp, not %q", o.Transport)
	}
	if p.agent, err = newAgent(in); err != nil {
		return nil, err
	}
	p.srv.OnInvite(p.onInvite)
	p.srv.OnAck(func(req *sip.Request, _ sip.ServerTransaction) { p.hear(req) })
	p.srv.OnBye(p.onBye)
	p.srv.OnNotify(p.onNotify)
	p.srv.OnOptions(func(req *sip.Request, tx sip.ServerTransaction) { p.hear(req); p.respond(req, tx, "", 200, "OK", nil) })
	return p, nil
}

// Run makes the phone work until ctx ends.
func (p *Phone) Run(ctx context.Context) error { return p.run(ctx) }

// AOR is the phone's address-of-record, user@domain.
func (p *Phone) AOR() string { return p.aor.User + "@" + p.aor.Host }

// Dial sends an INVITE to user@domain and returns while it is under way. The call is dropped, without BYE, when ctx ends.
func (p *Phone) Dial(ctx context.Context, to string) (*Call, error) {
	target, err := parseURI(to)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	full := len(p.placed) >= phoneCalls
	p.mu.Unlock()
	if full {
		return nil, errors.New("lab: the phone has too many calls")
	}
	var id string
	c, err := p.invite(ctx, invitation{
		from: p.aor, to: target, target: target, destination: p.proxy, transport: p.transport,
		callID: newCallID(p.aor.User), session: p.name, wallet: p.wallet,
		known: func(c *Call) { // a BYE may be here before we are
			p.mu.Lock()
			defer p.mu.Unlock()
			id = c.ID
			p.placed[id] = c
		},
	})
	if err != nil {
		p.forget(id)
		return nil, err
	}
	context.AfterFunc(ctx, func() { p.forget(c.ID) })
	return c, nil
}

// Call dials and waits for the final response.
func (p *Phone) Call(ctx, lifetime context.Context, to string) (*Call, Answer, error) {
	c, err := p.Dial(lifetime, to)
	if err != nil {
		return nil, Answer{}, err
	}
	a, err := c.Answer(ctx)
	return c, a, err
}

func (p *Phone) forget(callID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.placed, callID)
}

func (p *Phone) hear(req *sip.Request) { p.Received.hear(req) }

// Keepalives counts the CRLF pings (RFC 5626 section 3.5.1) that reached the phone. It answers them on TCP as UDP.
func (p *Phone) Keepalives() int { return int(p.pings.Load()) }

// PickUp answers what rings.
func (p *Phone) PickUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.pickUp)
	p.pickUp = make(chan struct{})
}

// onInvite answers every call, at once or when somebody picks up.
func (p *Phone) onInvite(req *sip.Request, tx sip.ServerTransaction) {
	p.mu.Lock()
	lifted := p.pickUp // before anybody can know of the call: who picks up then means it
	p.mu.Unlock()
	p.hear(req)
	tx.OnCancel(func(cancel *sip.Request) { p.hear(cancel) })
	tag := sip.GenerateTagN(12)
	id := req.CallID().Value()
	d := calleeDialog(req, tag, p.contact(p.aor.User, req.Transport()))
	p.mu.Lock()
	full := len(p.taken) >= phoneCalls
	if !full {
		p.taken[id] = d
	}
	p.mu.Unlock()
	if full {
		p.respond(req, tx, tag, 486, "Busy Here", nil)
		return
	}
	p.respond(req, tx, tag, 180, "Ringing", nil)
	if p.rings || p.ringsFor > 0 {
		var enough <-chan time.Time
		if p.ringsFor > 0 {
			t := time.NewTimer(p.ringsFor)
			defer t.Stop()
			enough = t.C
		}
		select {
		case <-lifted:
		case <-enough:
		case <-tx.Acks(): // cancelled: the transaction layer has sent 487
			p.drop(id)
			return
		case <-tx.Done():
			p.drop(id)
			return
		}
	}
	v, err := p.speak(id, false)
	if err != nil {
		p.drop(id)
		p.respond(req, tx, tag, 500, "Server Internal Error", nil)
		return
	}
	p.accept(req, tx, tag, p.Received, v.describe(p.name, v.follow(req.Body())), nil)
}

func (p *Phone) drop(callID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.taken, callID)
	p.hush(callID)
}

// onBye ends a call, whoever placed it.
func (p *Phone) onBye(req *sip.Request, tx sip.ServerTransaction) {
	p.hear(req)
	id := req.CallID().Value()
	p.mu.Lock()
	placed, taken := p.placed[id], p.taken[id]
	delete(p.placed, id)
	delete(p.taken, id)
	p.mu.Unlock()
	if placed == nil && taken == nil {
		p.respond(req, tx, "", 481, "Call/Transaction Does Not Exist", nil)
		return
	}
	p.respond(req, tx, "", 200, "OK", nil)
	p.hush(id)
	if placed != nil {
		placed.mu.Lock()
		placed.end(true)
		placed.mu.Unlock()
	}
}
