package lab

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

// PhoneOptions say whose phone it is and where it sends.
type PhoneOptions struct {
	AOR       string         // user@domain
	Proxy     netip.AddrPort // outbound proxy: an edge's outside address
	Transport string         // "udp" (default) or "tcp"
	IP        netip.Addr     // own address; default 127.0.0.1
	Log       *slog.Logger
}

// Phone is a user agent of one address-of-record. It places calls, answers every call at once and can register.
type Phone struct {
	*agent
	aor       sip.Uri
	proxy     string
	transport string
	name      string // product name, also the session name of its SDP

	// Received is what reached the phone: calls to it, and requests in calls that it placed.
	Received *Journal

	mu     sync.Mutex // guards placed and taken
	placed map[string]*Call
	taken  map[string]*dialog
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
		Received: newJournal(), placed: make(map[string]*Call), taken: make(map[string]*dialog),
	}
	switch p.transport {
	case "":
		p.transport = "UDP"
	case "UDP", "TCP":
	default:
		return nil, fmt.Errorf("lab: a phone speaks udp or tcp, not %q", o.Transport)
	}
	if p.agent, err = newAgent(o.IP, p.name, o.Log); err != nil {
		return nil, err
	}
	p.srv.OnInvite(p.onInvite)
	p.srv.OnAck(func(req *sip.Request, _ sip.ServerTransaction) { p.hear(req) })
	p.srv.OnBye(p.onBye)
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
	c, err := p.invite(ctx, invitation{
		from: p.aor, to: target, target: target, destination: p.proxy, transport: p.transport,
		callID: newCallID(p.aor.User), session: p.name,
	})
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.placed[c.ID] = c
	p.mu.Unlock()
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

// Register binds the phone's contact for d at whoever serves its domain; 0 removes it.
func (p *Phone) Register(ctx context.Context, d time.Duration) error {
	req := sip.NewRequest(sip.REGISTER, sip.Uri{Scheme: "sip", Host: p.aor.Host})
	from := &sip.FromHeader{Address: p.aor, Params: sip.NewParams()}
	from.Params.Add("tag", sip.GenerateTagN(12))
	callID, maxForwards := sip.CallIDHeader(newCallID("reg")), sip.MaxForwardsHeader(70)
	req.AppendHeader(from)
	req.AppendHeader(&sip.ToHeader{Address: p.aor})
	req.AppendHeader(&callID)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: 1, MethodName: sip.REGISTER})
	req.AppendHeader(&maxForwards)
	req.AppendHeader(contactHeader(p.contact(p.aor.User, p.transport)))
	req.AppendHeader(sip.NewHeader("Expires", fmt.Sprint(int(d.Seconds()))))
	req.SetTransport(p.transport)
	req.SetDestination(p.proxy)
	res, err := p.ask(ctx, req)
	if err != nil {
		return fmt.Errorf("lab: REGISTER %s: %w", p.AOR(), err)
	}
	if !res.IsSuccess() {
		return fmt.Errorf("lab: REGISTER %s was refused: %d %s", p.AOR(), res.StatusCode, res.Reason)
	}
	return nil
}

func (p *Phone) hear(req *sip.Request) {
	p.Received.add(req.CallID().Value(), Heard{Method: req.Method.String(), CSeq: req.CSeq().SeqNo, From: req.Source(), At: time.Now()})
}

// onInvite answers every call at once.
func (p *Phone) onInvite(req *sip.Request, tx sip.ServerTransaction) {
	p.hear(req)
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
	p.accept(req, tx, tag, p.Received, p.name, nil)
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
	if placed != nil {
		placed.mu.Lock()
		placed.end(true)
		placed.mu.Unlock()
	}
}
