package lab

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

// enrolment is a phone's registration, as the phone knows it. One REGISTER is under way at a time (RFC 3261 section 10.2).
type enrolment struct {
	callID string // for life

	sending sync.Mutex // held over one registration, challenges included

	mu      sync.Mutex // guards what follows
	cseq    uint32
	count   int           // 2xx so far
	granted time.Duration // by the last one
	changed chan struct{} // closed and replaced at every 2xx
}

// Granted is for how long the last 2xx bound the phone's own contact.
func (p *Phone) Granted() time.Duration {
	p.reg.mu.Lock()
	defer p.reg.mu.Unlock()
	return p.reg.granted
}

// Registrations counts the REGISTERs that succeeded: the first, and every refresh. Two readings that are equal say that the
// phone has not registered again in between.
func (p *Phone) Registrations() int {
	p.reg.mu.Lock()
	defer p.reg.mu.Unlock()
	return p.reg.count
}

// AwaitRegistrations returns once so many REGISTERs have succeeded.
func (p *Phone) AwaitRegistrations(ctx context.Context, n int) error {
	for {
		p.reg.mu.Lock()
		count, changed := p.reg.count, p.reg.changed
		p.reg.mu.Unlock()
		if count >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%s has registered %d times, not %d: %w", p.AOR(), count, n, context.Cause(ctx))
		}
	}
}

// Contact is the URI that the phone registers.
func (p *Phone) Contact() string {
	u := p.contact(p.aor.User, p.transport)
	return u.String()
}

// Register binds the phone's contact for d at whoever serves its domain; 0 removes it.
func (p *Phone) Register(ctx context.Context, d time.Duration) error {
	p.reg.sending.Lock()
	defer p.reg.sending.Unlock()
	_, res, err := p.exchange(ctx, func() *sip.Request { return p.register(d) })
	if err != nil {
		return fmt.Errorf("lab: REGISTER %s: %w", p.AOR(), err)
	}
	if !res.IsSuccess() {
		return fmt.Errorf("lab: REGISTER %s was refused: %d %s", p.AOR(), res.StatusCode, res.Reason)
	}
	granted, listed := p.granted(res, d)
	if listed != (d > 0) {
		return fmt.Errorf("lab: REGISTER %s: the 2xx lists our contact: %v, want %v", p.AOR(), listed, d > 0)
	}
	p.reg.mu.Lock()
	defer p.reg.mu.Unlock()
	p.reg.count, p.reg.granted = p.reg.count+1, granted
	close(p.reg.changed)
	p.reg.changed = make(chan struct{})
	return nil
}

func (p *Phone) register(d time.Duration) *sip.Request {
	p.reg.mu.Lock()
	p.reg.cseq++
	cseq := p.reg.cseq
	p.reg.mu.Unlock()
	req := newRequest(sip.REGISTER, sip.Uri{Scheme: "sip", Host: p.aor.Host}, p.aor, p.aor, p.reg.callID, cseq)
	contact := &sip.ContactHeader{Address: p.contact(p.aor.User, p.transport), Params: sip.NewParams()}
	contact.Params.Add("+sip.instance", `"<`+p.instance+`>"`)
	if p.regID > 0 {
		contact.Params.Add("reg-id", strconv.Itoa(p.regID))
	}
	req.AppendHeader(contact)
	req.AppendHeader(sip.NewHeader("Expires", seconds(d)))
	req.AppendHeader(sip.NewHeader("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, NOTIFY"))
	req.AppendHeader(sip.NewHeader("User-Agent", p.ua.Name()))
	req.SetTransport(p.transport)
	req.SetDestination(p.proxy)
	return req
}

// granted reads the phone's own Contact from a 2xx: byte for byte, as it was sent. Its expiry is that parameter, else
// Expires, else as asked.
func (p *Phone) granted(res *sip.Response, asked time.Duration) (d time.Duration, listed bool) {
	for _, h := range res.GetHeaders("Contact") {
		c, ok := h.(*sip.ContactHeader)
		if !ok || c.Address.String() != p.Contact() {
			continue
		}
		if v, has := c.Params.Get("expires"); has {
			if d, ok := expiry(v); ok {
				return d, true
			}
		}
		if h := res.GetHeader("Expires"); h != nil {
			if d, ok := expiry(h.Value()); ok {
				return d, true
			}
		}
		return asked, true
	}
	return 0, false
}

// How long a phone waits after a registration that failed, and how long one may take.
const (
	enrolAgain    = 200 * time.Millisecond // doubled each time
	enrolAgainMax = 5 * time.Second
	enrolPatience = 10 * time.Second
)

// StayRegistered asks for d again and again, each time after 50 to 90 % of what was granted, until ctx ends. A phone over TCP
// registers as soon as its connection is back when it broke. A failed login ends it with ErrLogin; what else fails is
// tried again.
func (p *Phone) StayRegistered(ctx context.Context, d time.Duration) error {
	again := enrolAgain
	for {
		limit, cancel := context.WithTimeout(ctx, enrolPatience)
		err := p.Register(limit, d)
		cancel()
		wait := again
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrLogin):
			return err
		case err != nil:
			p.log.Info("a registration failed", "aor", p.AOR(), "error", err, "again", wait)
			again = min(2*again, enrolAgainMax)
		default:
			wait, again = betweenRefreshes(p.Granted()), enrolAgain
		}
		timer := time.NewTimer(wait)
		var broken <-chan struct{}
		if err == nil {
			broken = p.broken()
		}
		select {
		case <-timer.C:
		case <-broken:
			p.log.Info("the connection broke", "aor", p.AOR())
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return nil
		}
	}
}

// betweenRefreshes is 50 to 90 % of an expiry.
func betweenRefreshes(granted time.Duration) time.Duration {
	return time.Duration((0.5 + 0.4*mathrand.Float64()) * float64(granted))
}

// uuid is a random one (RFC 9562 section 5.4).
func uuid() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
