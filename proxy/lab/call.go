package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

// PlatformHeader is how a switch of the lab says in every answer which platform it is.
const PlatformHeader = "X-Lab-Platform"

// Call is a call that we placed: from its INVITE to its BYE or CANCEL.
type Call struct {
	ID   string // Call-ID
	From string // as dialled: user@domain
	To   string

	agent   *agent
	wallet  *wallet
	voice   *Voice
	session string // name, of our descriptions

	ringing chan struct{} // closed by the first 1xx above 100
	final   chan struct{} // closed when the final response is here, or none will come
	ended   chan struct{} // closed when the call is over: BYE either way, refusal, CANCEL

	mu       sync.Mutex // guards what follows
	invite   *sip.Request
	tx       sip.ClientTransaction
	tries    int // challenges answered
	answer   Answer
	err      error
	dialog   *dialog
	byPeer   bool // the peer hung up
	rang     bool
	finished bool
}

// Answer is what came back for an INVITE.
type Answer struct {
	Code     int
	Reason   string
	Platform string        // PlatformHeader: "legacy", "core", or "" when no switch answered
	Server   string        // Server header
	Session  string        // s= of the SDP answer
	Setup    time.Duration // INVITE to final response
}

// Answered says whether the call was accepted.
func (a Answer) Answered() bool { return a.Code >= 200 && a.Code < 300 }

// String is the answer as a person would note it.
func (a Answer) String() string {
	if a.Platform == "" {
		return fmt.Sprintf("%d %s", a.Code, a.Reason)
	}
	return fmt.Sprintf("%d %s by %s", a.Code, a.Reason, a.Platform)
}

// invitation is what a caller decides about an INVITE.
type invitation struct {
	from, to    sip.Uri
	target      sip.Uri   // Request-URI
	routes      []sip.Uri // preloaded Route (a registered Path)
	destination string    // host:port of the first hop; empty: by Route or Request-URI
	transport   string    // "UDP", "TCP"
	callID      string
	session     string      // SDP session name
	asserted    bool        // we vouch for from (RFC 3325)
	diverted    *sip.Uri    // whose call it was before it was forwarded (RFC 5806); nil: it was not
	wallet      *wallet     // credentials for 401 and 407; nil: they are final
	known       func(*Call) // called before the INVITE is sent; may be nil
}

// invite sends an INVITE and follows it in the background. The call ends with ctx: whoever gives a context that lives
// as long as the agent hangs up or cancels before.
func (a *agent) invite(ctx context.Context, in invitation) (*Call, error) {
	req := newRequest(sip.INVITE, in.target, in.from, in.to, in.callID, 1)
	for _, r := range in.routes {
		req.AppendHeader(&sip.RouteHeader{Address: r})
	}
	contentType := sip.ContentTypeHeader("application/sdp")
	req.AppendHeader(contactHeader(a.contact(in.from.User, in.transport)))
	req.AppendHeader(sip.NewHeader("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS"))
	req.AppendHeader(sip.NewHeader("User-Agent", a.ua.Name()))
	if in.asserted {
		req.AppendHeader(sip.NewHeader("P-Asserted-Identity", "<"+in.from.String()+">"))
	}
	if in.diverted != nil {
		req.AppendHeader(sip.NewHeader("Diversion", "<"+in.diverted.String()+">;reason=unconditional"))
	}
	req.AppendHeader(&contentType)
	v, err := a.speak(in.callID, true)
	if err != nil {
		return nil, err
	}
	req.SetBody(v.describe(in.session, bothWays))
	req.SetTransport(in.transport)
	if in.destination != "" {
		req.SetDestination(in.destination)
	}

	c := &Call{
		ID: in.callID, From: in.from.User + "@" + in.from.Host, To: in.to.User + "@" + in.to.Host,
		agent: a, invite: req, wallet: in.wallet, voice: v, session: in.session,
		ringing: make(chan struct{}), final: make(chan struct{}), ended: make(chan struct{}),
	}
	if in.known != nil {
		in.known(c)
	}
	began := time.Now()
	if in.wallet != nil {
		if in.wallet.failed() {
			a.hush(c.ID)
			return nil, ErrLogin
		}
		in.wallet.sign(req)
	}
	tx, err := a.start(ctx, req)
	if err != nil {
		a.hush(c.ID)
		return nil, fmt.Errorf("lab: INVITE %s: %w", c.To, err)
	}
	c.tx = tx
	context.AfterFunc(ctx, func() { a.hush(c.ID) })
	go c.follow(ctx, began)
	return c, nil
}

// follow reads responses until the final one. What a challenge asks for is sent in an INVITE of its own.
func (c *Call) follow(ctx context.Context, began time.Time) {
	for tx := c.tx; ; {
		select {
		case res := <-tx.Responses():
			next, err := c.challenged(ctx, res)
			if err != nil {
				c.fail(err)
				return
			}
			if next != nil {
				tx = next
				continue
			}
			if c.take(res, began) {
				return
			}
		case <-tx.Done():
			c.fail(fmt.Errorf("no final response: %w", tx.Err()))
			return
		case <-ctx.Done():
			tx.Terminate()
			c.fail(context.Cause(ctx))
			return
		}
	}
}

// challenged answers a 401 or 407 with the same INVITE, one CSeq further. No transaction: res was no challenge to answer.
func (c *Call) challenged(ctx context.Context, res *sip.Response) (sip.ClientTransaction, error) {
	if c.wallet == nil || res.IsProvisional() {
		return nil, nil
	}
	if err := c.wallet.read(c.invite, res, c.tries); !errors.Is(err, errAgain) {
		return nil, nil // a refusal is the caller's to see, a failed login too
	}
	req := c.invite.Clone()
	for _, name := range []string{"Via", "Authorization", "Proxy-Authorization"} {
		req.RemoveHeader(name)
	}
	req.CSeq().SeqNo++
	req.SetTransport(c.invite.Transport())
	req.SetDestination(c.invite.Destination())
	c.wallet.sign(req)
	tx, err := c.agent.start(ctx, req)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.invite, c.tx = req, tx
	c.tries++
	return tx, nil
}

// take notes one response and says whether it was the final one.
func (c *Call) take(res *sip.Response, began time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h := res.GetHeader(PlatformHeader); h != nil {
		c.answer.Platform = h.Value()
	}
	if h := res.GetHeader("Server"); h != nil {
		c.answer.Server = h.Value()
	}
	if res.StatusCode > 100 && res.StatusCode < 200 && !c.rang {
		c.rang = true
		close(c.ringing)
	}
	if res.IsProvisional() {
		return false
	}
	c.answer.Code, c.answer.Reason, c.answer.Setup = res.StatusCode, res.Reason, time.Since(began)
	if res.IsSuccess() {
		c.answer.Session = sessionName(res.Body())
		c.dialog = callerDialog(c.invite, res, c.agent.contact(c.invite.From().Address.User, c.invite.Transport()))
		c.voice.follow(res.Body())
		ack := c.dialog.ack(c.invite.CSeq().SeqNo)
		c.err = c.agent.write(ack())
		// Every repeated 2xx gets its own ACK (section 13.2.2.4): the first one may have been lost.
		c.tx.OnRetransmission(func(*sip.Response) {
			if err := c.agent.write(ack()); err != nil {
				c.agent.log.Warn("ACK of a repeated 2xx was not sent", "call", c.ID, "error", err)
			}
		})
	} else {
		c.end(false)
	}
	close(c.final)
	return true
}

func (c *Call) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	c.end(false)
	close(c.final)
}

// end marks the call as over. c.mu is held.
func (c *Call) end(byPeer bool) {
	if c.finished {
		return
	}
	c.finished, c.byPeer = true, byPeer
	close(c.ended)
	c.agent.hush(c.ID)
	if c.dialog != nil {
		c.tx.Terminate()
	}
}

// Voice is our end of the call's audio.
func (c *Call) Voice() *Voice { return c.voice }

// Ringing is closed by the first provisional response above 100.
func (c *Call) Ringing() <-chan struct{} { return c.ringing }

// Ended is closed when the call is over.
func (c *Call) Ended() <-chan struct{} { return c.ended }

// EndedByPeer says whether the other end hung up.
func (c *Call) EndedByPeer() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byPeer
}

// Answer waits for the final response. A refusal is an Answer; an error means that no final response came.
func (c *Call) Answer(ctx context.Context) (Answer, error) {
	select {
	case <-c.final:
	case <-ctx.Done():
		return Answer{}, fmt.Errorf("call %s -> %s: no final response: %w", c.From, c.To, context.Cause(ctx))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.answer, fmt.Errorf("call %s -> %s: %w", c.From, c.To, c.err)
	}
	return c.answer, nil
}

// Hangup sends BYE along the route set and waits for its answer.
func (c *Call) Hangup(ctx context.Context) error {
	c.mu.Lock()
	d, finished := c.dialog, c.finished
	c.mu.Unlock()
	if d == nil || finished {
		return fmt.Errorf("call %s -> %s: there is nothing to hang up", c.From, c.To)
	}
	res, err := c.agent.ask(ctx, d.request(sip.BYE))
	c.mu.Lock()
	c.end(false)
	c.mu.Unlock()
	if err != nil {
		return fmt.Errorf("call %s -> %s: BYE: %w", c.From, c.To, err)
	}
	if !res.IsSuccess() {
		return fmt.Errorf("call %s -> %s: BYE was refused: %d %s", c.From, c.To, res.StatusCode, res.Reason)
	}
	return nil
}

// Cancel gives up before the answer: it waits for the first provisional response (RFC 3261 section 9.1 forbids an
// earlier CANCEL), sends CANCEL and waits for the final response of the INVITE.
func (c *Call) Cancel(ctx context.Context) (Answer, error) {
	select {
	case <-c.ringing:
	case <-c.final:
		return Answer{}, errors.New("the call was answered before it could be cancelled")
	case <-ctx.Done():
		return Answer{}, context.Cause(ctx)
	}
	c.mu.Lock()
	invite := c.invite
	c.mu.Unlock()
	if _, err := c.agent.askCancel(ctx, invite); err != nil {
		return Answer{}, fmt.Errorf("call %s -> %s: CANCEL: %w", c.From, c.To, err)
	}
	return c.Answer(ctx)
}

// askCancel sends the CANCEL of an INVITE: same Request-URI, Route, top Via, Call-ID, From, To and CSeq number (section 9.1).
func (a *agent) askCancel(ctx context.Context, invite *sip.Request) (*sip.Response, error) {
	req := sip.NewRequest(sip.CANCEL, invite.Recipient)
	req.AppendHeader(invite.Via().Clone())
	sip.CopyHeaders("Route", invite, req)
	for _, name := range []string{"From", "To", "Call-ID"} {
		sip.CopyHeaders(name, invite, req)
	}
	maxForwards := sip.MaxForwardsHeader(70)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: sip.CANCEL})
	req.AppendHeader(&maxForwards)
	req.SetBody(nil)
	req.SetTransport(invite.Transport())
	req.SetDestination(invite.Destination())
	req.Laddr = invite.Laddr
	tx, err := a.request(ctx, req)
	if err != nil {
		return nil, err
	}
	defer tx.Terminate()
	select {
	case res := <-tx.Responses():
		if !res.IsSuccess() {
			return nil, fmt.Errorf("refused: %d %s", res.StatusCode, res.Reason)
		}
		return res, nil
	case <-tx.Done():
		return nil, tx.Err()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// newCallID mints a Call-ID that says who made it.
func newCallID(prefix string) string {
	return strings.ToLower(prefix + "-" + sip.GenerateTagN(16))
}
