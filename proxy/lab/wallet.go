package lab

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/emiago/sipgo/sip"
)

// ErrLogin is what a phone gets whose credentials were refused: it would show a password prompt, and tries no more.
var ErrLogin = errors.New("lab: the login failed")

// walletTries is how many challenges in a row, all stale, a phone answers before it takes its password for wrong.
const walletTries = 4

// wallet is a phone's credentials and the nonces that it goes on using: one of registrars and user agents (401), one of
// proxies (407).
type wallet struct {
	user, password string

	mu         sync.Mutex // guards what follows
	www, proxy *held
	challenges int
	prompts    int
}

// held is a challenge that credentials are made for, ahead of the next one.
type held struct {
	challenge
	nc uint32
}

// sign adds credentials for the nonces that are held.
func (w *wallet) sign(req *sip.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, h := range map[string]*held{"Authorization": w.www, "Proxy-Authorization": w.proxy} {
		if h != nil {
			h.nc++
			req.AppendHeader(sip.NewHeader(name, h.answer(w.user, w.password, req.Method.String(), req.Recipient.String(), h.nc)))
		}
	}
}

// read learns from a final response: nil is an answer to keep, errAgain asks to send the request once more with what is
// held now, ErrLogin is the end.
func (w *wallet) read(req *sip.Request, res *sip.Response, tries int) error {
	answer, credentials, slot := "WWW-Authenticate", "Authorization", &w.www
	switch res.StatusCode {
	case 401:
	case 407:
		answer, credentials, slot = "Proxy-Authenticate", "Proxy-Authorization", &w.proxy
	default:
		w.next(res)
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.challenges++
	var c challenge
	known := false
	for _, h := range res.GetHeaders(answer) {
		if c, known = parseChallenge(h.Value()); known {
			break
		}
	}
	sent := req.GetHeader(credentials) != nil
	if !known || w.password == "" || (sent && !c.stale) || tries >= walletTries {
		*slot = nil
		w.prompts++
		return ErrLogin
	}
	*slot = &held{challenge: c}
	return errAgain
}

var errAgain = errors.New("lab: once more, with credentials")

// next takes the nonce that a server wants to see next (RFC 7615 section 3).
func (w *wallet) next(res *sip.Response) {
	for name, slot := range map[string]**held{"Authentication-Info": &w.www, "Proxy-Authentication-Info": &w.proxy} {
		h := res.GetHeader(name)
		if h == nil {
			continue
		}
		p, ok := digestParams("Digest " + h.Value())
		w.mu.Lock()
		if ok && *slot != nil && p["nextnonce"] != "" {
			c := (*slot).challenge
			c.nonce = p["nextnonce"]
			*slot = &held{challenge: c}
		}
		w.mu.Unlock()
	}
}

// failed says whether the phone has given up.
func (w *wallet) failed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.prompts > 0
}

// PasswordPrompts counts the failed logins: each would have asked the user for a password.
func (p *Phone) PasswordPrompts() int {
	p.wallet.mu.Lock()
	defer p.wallet.mu.Unlock()
	return p.wallet.prompts
}

// Challenges counts the 401 and 407 that the phone has seen.
func (p *Phone) Challenges() int {
	p.wallet.mu.Lock()
	defer p.wallet.mu.Unlock()
	return p.wallet.challenges
}

// exchange sends what build makes, with credentials, and again as long as it is challenged for good reason. Every try is a
// request of its own, with the next CSeq.
func (p *Phone) exchange(ctx context.Context, build func() *sip.Request) (*sip.Request, *sip.Response, error) {
	for tries := 0; ; tries++ {
		if p.wallet.failed() {
			return nil, nil, ErrLogin
		}
		req := build()
		p.wallet.sign(req)
		res, err := p.ask(ctx, req)
		if err != nil {
			return req, nil, err
		}
		switch err := p.wallet.read(req, res, tries); {
		case errors.Is(err, errAgain):
			continue
		case err != nil:
			return req, res, fmt.Errorf("%w: %s got %d %s", err, req.Method, res.StatusCode, res.Reason)
		}
		return req, res, nil
	}
}
