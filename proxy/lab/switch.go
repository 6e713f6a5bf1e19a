package lab

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"
	"golang.org/x/sync/errgroup"
)

// User parts by which a caller asks for a behaviour. Any other user is called back if it is registered here, and
// answered by the switch itself if it is not.
const (
	UserAnswer = "answer" // 180, 200
	UserBusy   = "busy"   // 486
	UserRing   = "ring"   // 180 until CANCEL
	UserHangup = "hangup" // 180, 200, and BYE as soon as the ACK is here
)

// SwitchOptions say which platform a switch plays, and how its registrar behaves.
type SwitchOptions struct {
	Platform string     // "legacy" or "core": what PlatformHeader says
	Server   string     // Server header; default "lab-PLATFORM"
	IP       netip.Addr // own address: platforms are told apart by their networks
	Log      *slog.Logger
	Now      func() time.Time // default time.Now: what nonces, bindings and subscriptions age by

	// Accounts are who may register; REGISTER is challenged. Nil: everybody may, unasked.
	Accounts       []Account
	ChallengeCalls bool          // INVITE (407) and SUBSCRIBE (401) of accounts too
	Algorithm      string        // MD5 (default) or SHA256
	NonceAge       time.Duration // default 5 minutes
	NextNonce      bool          // Authentication-Info with the next nonce in every 2xx
	Opaque         string        // in challenges; empty: none
	Trusted        []netip.Addr  // whose REGISTER with P-Asserted-Identity needs no credentials
	TrustedCalls   []netip.Addr  // whose INVITE with P-Asserted-Identity needs none: edges take that header from everybody but platforms

	MinExpires   time.Duration // less is refused with 423
	MaxExpires   time.Duration // more is cut; default one hour
	ListLast     bool          // a 2xx lists the contacts of its REGISTER only, not all
	MatchCallID  bool          // the same Contact under another Call-ID is another contact
	NoPath       bool          // Path is not understood: neither kept nor repeated
	ToSource     bool          // a contact without Path is called at the address that its REGISTER came from
	ServiceRoute string        // Service-Route of a 2xx; empty: none

	Plan   map[string]Treatment // by user part, lower case: what is done with its calls besides ringing its phones
	Faults Faults

	TrunkBack bool // calls to numbers (+...) leave for where they came from, as those of a dark core whose trunk is the sink
}

// Switch is one platform: a registrar and a back-to-back call server in one.
type Switch struct {
	*agent
	platform string
	server   string

	// Received is every request that reached the switch, ACK and CANCEL included.
	Received *Journal

	guard    *guard
	reg      *registrar
	presence *presence
	notifier *notifier

	challengeCalls, listLast, noPath, toSource bool
	minExpires, maxExpires                     time.Duration
	serviceRoute                               string

	plan map[string]Treatment

	trunkBack bool
	faults    atomic.Pointer[Faults]

	mu    sync.Mutex // guards calls
	calls map[string]*leg
}

// leg is an answered call as the switch sees it: its dialog with the caller, and the call it placed to the callee.
type leg struct {
	dialog *dialog
	far    *Call // nil when the switch answered itself
}

// A switch holds so many calls at once; more get 503.
const switchCalls = 8192

// NewSwitch binds the switch's sockets. Run makes it work.
func NewSwitch(o SwitchOptions) (*Switch, error) {
	if o.Server == "" {
		o.Server = "lab-" + o.Platform
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Algorithm, o.NonceAge, o.MaxExpires = cmp.Or(o.Algorithm, MD5), cmp.Or(o.NonceAge, 5*time.Minute), cmp.Or(o.MaxExpires, time.Hour)
	if hash(o.Algorithm, "") == "" {
		return nil, fmt.Errorf("lab: a switch computes %s or %s, not %q", MD5, SHA256, o.Algorithm)
	}
	s := &Switch{
		platform: o.Platform, server: o.Server, Received: newJournal(), calls: make(map[string]*leg),
		guard: newGuard(o), reg: newRegistrar(o),
		presence: &presence{calls: make(map[string]*watchedCall)}, notifier: &notifier{subs: make(map[string]*subscription)},
		challengeCalls: o.ChallengeCalls, listLast: o.ListLast, noPath: o.NoPath, toSource: o.ToSource,
		minExpires: o.MinExpires, maxExpires: o.MaxExpires, serviceRoute: o.ServiceRoute,
		plan: o.Plan, trunkBack: o.TrunkBack,
	}
	s.faults.Store(&o.Faults)
	var err error
	if s.agent, err = newAgent(agentOptions{ip: o.IP, name: o.Server, log: o.Log, waits: true}); err != nil {
		return nil, err
	}
	return s, nil
}

// Run makes the switch work until ctx ends.
func (s *Switch) Run(ctx context.Context) error {
	s.presence.notify = func(key string) { s.changed(ctx, key) }
	s.srv.OnInvite(func(req *sip.Request, tx sip.ServerTransaction) { s.onInvite(ctx, req, tx) })
	s.srv.OnAck(func(req *sip.Request, _ sip.ServerTransaction) { s.hear(req) })
	s.srv.OnBye(func(req *sip.Request, tx sip.ServerTransaction) { s.onBye(ctx, req, tx) })
	s.srv.OnCancel(func(req *sip.Request, tx sip.ServerTransaction) { // one that matched no INVITE
		s.hear(req)
		s.refuse(req, tx, 481, "Call/Transaction Does Not Exist")
	})
	s.srv.OnRegister(s.onRegister)
	s.srv.OnSubscribe(func(req *sip.Request, tx sip.ServerTransaction) { s.onSubscribe(ctx, req, tx) })
	s.srv.OnOptions(func(req *sip.Request, tx sip.ServerTransaction) {
		s.respond(req, tx, "", 200, "OK", nil, s.identity()...)
	})
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.run(ctx) })
	g.Go(func() error {
		tick := time.NewTicker(subscriptionSweep)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				s.sweep(ctx, s.guard.now())
			case <-ctx.Done():
				return nil
			}
		}
	})
	return g.Wait()
}

// Addr is where the switch listens, by UDP and TCP.
func (s *Switch) Addr() netip.AddrPort { return s.addr }

// Platform is which side the switch plays.
func (s *Switch) Platform() string { return s.platform }

// identity is what tells the platforms apart in an answer.
func (s *Switch) identity() []sip.Header {
	return []sip.Header{sip.NewHeader("Server", s.server), sip.NewHeader(PlatformHeader, s.platform)}
}

func (s *Switch) hear(req *sip.Request) { s.Received.hear(req) }

func (s *Switch) refuse(req *sip.Request, tx sip.ServerTransaction, code int, reason string) {
	s.respond(req, tx, "", code, reason, nil, s.identity()...)
}
