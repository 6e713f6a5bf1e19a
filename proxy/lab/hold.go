package lab

import (
	"context"
	"fmt"

	"github.com/emiago/sipgo/sip"
)

// Hold puts the other end on hold, by a re-INVITE (RFC 3264 section 8.4): it hears us, we do not want to hear it.
func (c *Call) Hold(ctx context.Context) error { return c.reinvite(ctx, direction{sends: true}) }

// Resume takes it off hold.
func (c *Call) Resume(ctx context.Context) error { return c.reinvite(ctx, bothWays) }

// reinvite offers another direction, on the same address, and takes up what is answered.
func (c *Call) reinvite(ctx context.Context, d direction) error {
	c.mu.Lock()
	dialog, finished := c.dialog, c.finished
	c.mu.Unlock()
	if dialog == nil || finished {
		return fmt.Errorf("call %s -> %s: there is nothing to offer to", c.From, c.To)
	}
	req := dialog.request(sip.INVITE)
	contentType := sip.ContentTypeHeader("application/sdp")
	req.AppendHeader(&contentType)
	req.SetBody(c.voice.describe(c.session, d))
	ack := dialog.ack(req.CSeq().SeqNo)
	res, err := c.agent.askInvite(ctx, req, ack)
	if err != nil {
		return fmt.Errorf("call %s -> %s: re-INVITE: %w", c.From, c.To, err)
	}
	if !res.IsSuccess() {
		return fmt.Errorf("call %s -> %s: re-INVITE was refused: %d %s", c.From, c.To, res.StatusCode, res.Reason)
	}
	c.voice.follow(res.Body())
	return nil
}

// askInvite sends an INVITE inside a dialog, waits for its final response and acknowledges a 2xx as often as it comes. The
// transaction stays for the repetitions until the agent ends, or sipgo's Timer M.
func (a *agent) askInvite(ctx context.Context, req *sip.Request, ack func() *sip.Request) (*sip.Response, error) {
	tx, err := a.start(ctx, req)
	if err != nil {
		return nil, err
	}
	for {
		select {
		case res := <-tx.Responses():
			switch {
			case res.IsProvisional():
				continue
			case !res.IsSuccess():
				return res, nil
			}
			tx.OnRetransmission(func(*sip.Response) {
				if err := a.write(ack()); err != nil {
					a.log.Warn("ACK of a repeated 2xx was not sent", "error", err)
				}
			})
			return res, a.write(ack())
		case <-tx.Done():
			return nil, fmt.Errorf("no final response: %w", tx.Err())
		case <-ctx.Done():
			tx.Terminate()
			return nil, context.Cause(ctx)
		}
	}
}
