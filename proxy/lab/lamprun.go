package lab

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Run subscribes and refreshes after 50 to 90 % of the expiry until ctx ends. When the subscription ends, by 481 or by a NOTIFY
// that says so, it begins a new one at once; a refusal is tried again later. A failed login ends it with ErrLogin.
func (l *Lamp) Run(ctx context.Context) error {
	again := enrolAgain
	for {
		began := time.Now()
		err := l.once(ctx)
		l.set(func() { l.state = LampUnknown })
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrLogin):
			return err
		case err == nil && time.Since(began) > enrolAgain: // it was there: at once
			again = enrolAgain
			continue
		}
		l.phone.log.Info("a lamp is dark", "aor", l.phone.AOR(), "watches", keyOf(l.watched), "error", err)
		timer := time.NewTimer(again)
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		again = min(2*again, enrolAgainMax)
	}
}

// once is one subscription from its SUBSCRIBE to its end. Nil: it was there, and is not any more.
func (l *Lamp) once(ctx context.Context) error {
	callID := newCallID("blf")
	l.set(func() { l.version, l.dialog, l.over, l.expires = -1, nil, "", time.Time{} })
	if !l.phone.addLamp(callID, l) {
		return errors.New("lab: the phone has too many lamps")
	}
	defer l.phone.removeLamp(callID)
	cseq := uint32(0)
	req, res, err := l.ask(ctx, func() *sip.Request {
		cseq++
		req := newRequest(sip.SUBSCRIBE, l.watched, l.phone.aor, l.watched, callID, cseq)
		req.AppendHeader(contactHeader(l.phone.contact(l.phone.aor.User, l.phone.transport)))
		req.SetTransport(l.phone.transport)
		req.SetDestination(l.phone.proxy)
		tag := req.From().Params.GetOr("tag", "")
		l.set(func() { l.tag = tag }) // a NOTIFY may be faster than the 2xx (RFC 6665 section 4.4.1)
		return req
	})
	if err != nil {
		return err
	}
	if !res.IsSuccess() {
		return fmt.Errorf("SUBSCRIBE got %d %s", res.StatusCode, res.Reason)
	}
	l.set(func() {
		l.dialog = callerDialog(req, res, l.phone.contact(l.phone.aor.User, l.phone.transport))
		l.subscribed++
		l.shorten(l.lasts(res))
	})
	for l.wait(ctx) {
		_, res, err := l.ask(ctx, func() *sip.Request { return l.dialog.request(sip.SUBSCRIBE) })
		if err != nil {
			return err
		}
		if !res.IsSuccess() { // 481 above all
			return nil
		}
		l.set(func() { l.expires = time.Now().Add(l.lasts(res)) })
	}
	return nil
}

// ask sends a SUBSCRIBE.
func (l *Lamp) ask(ctx context.Context, build func() *sip.Request) (*sip.Request, *sip.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, enrolPatience)
	defer cancel()
	return l.phone.exchange(ctx, func() *sip.Request {
		req := build()
		req.AppendHeader(sip.NewHeader("Event", "dialog"))
		req.AppendHeader(sip.NewHeader("Accept", "application/dialog-info+xml"))
		req.AppendHeader(sip.NewHeader("Expires", seconds(l.asks)))
		return req
	})
}

func (l *Lamp) lasts(res *sip.Response) time.Duration {
	if h := res.GetHeader("Expires"); h != nil {
		if d, ok := expiry(h.Value()); ok {
			return d
		}
	}
	return l.asks
}

// shorten takes an expiry that is nearer than the one that is known. l.mu is held.
func (l *Lamp) shorten(d time.Duration) {
	if at := time.Now().Add(d); l.expires.IsZero() || at.Before(l.expires) {
		l.expires = at
	}
}

// wait returns true when it is time to refresh, false when the subscription is over or ctx ended.
func (l *Lamp) wait(ctx context.Context) bool {
	for {
		l.mu.Lock()
		over, changed, expires := l.over, l.changed, l.expires
		l.mu.Unlock()
		if over != "" {
			return false
		}
		timer := time.NewTimer(betweenRefreshes(time.Until(expires)))
		select {
		case <-timer.C:
			return true
		case <-changed:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return false
		}
	}
}

// phoneLamps bounds the keys of a phone.
const phoneLamps = 64

func (p *Phone) addLamp(callID string, l *Lamp) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.lamps) >= phoneLamps {
		return false
	}
	p.lamps[callID] = l
	return true
}

func (p *Phone) removeLamp(callID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.lamps, callID)
}

// onNotify takes the word of a watched account.
func (p *Phone) onNotify(req *sip.Request, tx sip.ServerTransaction) {
	p.hear(req)
	p.mu.Lock()
	l := p.lamps[req.CallID().Value()]
	p.mu.Unlock()
	if l == nil || !l.told(req) {
		p.respond(req, tx, "", 481, "Subscription Does Not Exist", nil)
		return
	}
	p.respond(req, tx, "", 200, "OK", nil)
}

// told reads a NOTIFY; false if it is not of the subscription that lives.
func (l *Lamp) told(req *sip.Request) bool {
	state := ""
	if h := req.GetHeader("Subscription-State"); h != nil {
		state = h.Value()
	}
	word, params, _ := strings.Cut(state, ";")
	var info dialogInfo
	readable := xml.Unmarshal(req.Body(), &info) == nil
	known := false
	l.set(func() {
		tag, _ := req.To().Params.Get("tag")
		if known = tag == l.tag && l.over == ""; !known {
			return
		}
		if readable && info.State == "full" && info.Version > l.version {
			l.version, l.state = info.Version, info.lamp()
		}
		if strings.TrimSpace(word) == "terminated" {
			l.over, l.state = "terminated", LampUnknown
			return
		}
		for p := range strings.SplitSeq(params, ";") {
			if v, is := strings.CutPrefix(strings.TrimSpace(p), "expires="); is {
				if d, ok := expiry(v); ok {
					l.shorten(d)
				}
			}
		}
	})
	return known
}
