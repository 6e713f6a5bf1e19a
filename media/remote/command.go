package remote

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/hotcut/hotcut/media"
	"github.com/hotcut/hotcut/media/ng"
	"github.com/hotcut/hotcut/media/relay"
	"github.com/hotcut/hotcut/media/sdp"
)

// id is the call that a server knows.
func (g *dialog) id() string { return g.key.CallID + "~" + g.key.Leg }

// request begins a command.
func (g *dialog) request(c ng.Command) ng.Request {
	return ng.Request{Command: c, CallID: g.id(), ViaBranch: g.key.Leg}
}

// offer gives v to the server that has the dialog as an offer; to another one if that is gone, or none has it.
func (g *dialog) offer(ctx context.Context, v *voice, lines int) error {
	if !g.server.IsValid() && v.d.Stage != relay.Offer {
		g.find(ctx) // the process before this one may have placed it
	}
	if g.server.IsValid() {
		err := g.sayWithin(ctx, v, lines)
		if !gone(err) || ctx.Err() != nil {
			return err
		}
		g.lost()
	}
	q := g.offered(v)
	r, server, err := g.relay.client.Place(ctx, q)
	if err != nil {
		return err
	}
	g.server, g.began, g.first = server, time.Now(), v.d.From.String()
	return v.becomes(r, lines)
}

// gone: nobody answers there.
func gone(err error) bool {
	return errors.Is(err, ng.ErrTimeout) || errors.Is(err, ng.ErrRefused) || errors.Is(err, context.DeadlineExceeded)
}

// sayWithin offers v to the dialog's own server, and leaves time to ask another.
func (g *dialog) sayWithin(ctx context.Context, v *voice, lines int) error {
	if deadline, ok := ctx.Deadline(); ok && len(g.relay.o.Servers) > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, time.Now().Add(time.Until(deadline)/2))
		defer cancel()
	}
	if !g.up() {
		return ng.ErrRefused
	}
	r, err := g.relay.client.Do(ctx, g.server, g.offered(v))
	if err != nil {
		return err
	}
	return v.becomes(r, lines)
}

// up: the dialog's server is thought to be there, or no other is.
func (g *dialog) up() bool {
	others := false
	for _, s := range g.relay.client.Health() {
		if s.Server == g.server && s.Up {
			return true
		}
		others = others || s.Up
	}
	return !others
}

// lost: the server of the dialog is not there any more. Should it be, it is told that the call has gone elsewhere.
func (g *dialog) lost() {
	was, q := g.server, g.request(ng.Delete)
	q.DeleteNow = true
	g.server = netip.AddrPort{}
	g.relay.jobs.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		g.relay.client.Do(ctx, was, q)
	})
}

// say repeats an offer that was in force.
func (g *dialog) say(ctx context.Context, v *voice) error {
	if !g.server.IsValid() {
		return ng.ErrUnknownCall
	}
	_, err := g.relay.client.Do(ctx, g.server, g.offered(v))
	return err
}

func (g *dialog) offered(v *voice) ng.Request {
	from, o := v.d.From, &g.relay.o
	q := g.request(ng.Offer)
	q.FromTag, q.SDP, q.Flags = from.String(), v.text, flags(&v.d)
	q.Flags.Direction = [2]string{o.Interfaces[from], o.Interfaces[from^1]}
	if g.now[from^1] != nil {
		q.ToTag = (from ^ 1).String()
	}
	return q
}

// answer gives v to the server that has the dialog as an answer. lines is 0 if what becomes of it is known.
func (g *dialog) answer(ctx context.Context, v *voice, lines int) error {
	if !g.server.IsValid() && !g.find(ctx) {
		return ng.ErrUnknownCall
	}
	q := g.request(ng.Answer)
	q.FromTag, q.ToTag, q.SDP, q.Flags = (v.d.From ^ 1).String(), v.d.From.String(), v.text, flags(&v.d)
	r, err := g.relay.client.Do(ctx, g.server, q)
	if err != nil || lines == 0 {
		return err
	}
	return v.becomes(r, lines)
}

// flags are what we want of a description.
func flags(d *relay.Description) ng.Flags {
	f := ng.Flags{TrustAddress: !d.SourceAddress, SIPSourceAddress: d.SourceAddress, Asymmetric: d.Trusted, ICE: ng.ICEDefault, ReceivedFrom: d.Signalling,
		ReplaceOrigin: d.Origin}
	if d.ICE == sdp.ICERemove {
		f.ICE = ng.ICERemove
	}
	if d.Loose {
		f.Other = []string{ng.LooseLatching}
	}
	switch d.Family {
	case media.IPv4:
		f.AddressFamily = ng.IP4
	case media.IPv6:
		f.AddressFamily = ng.IP6
	}
	return f
}

// becomes takes what a server made of v, if it can be one.
func (v *voice) becomes(r ng.Response, lines int) error {
	n, _, fault := read([]byte(r.SDP))
	if fault != sdp.FaultNone || n != lines {
		return errReply
	}
	v.became = r.SDP
	return nil
}

// find looks for the dialog on all servers that are thought to be there.
func (g *dialog) find(ctx context.Context) bool {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, time.Now().Add(time.Until(deadline)/3))
		defer cancel()
	}
	list := g.relay.client.Health()
	found := make(chan netip.AddrPort, len(list))
	n := 0
	for _, s := range list {
		if !s.Up {
			continue
		}
		n++
		g.relay.jobs.Go(func() {
			if _, err := g.relay.client.Do(ctx, s.Server, g.request(ng.Query)); err != nil {
				found <- netip.AddrPort{}
				return
			}
			found <- s.Server
		})
	}
	for range n {
		if at := <-found; at.IsValid() && !g.server.IsValid() {
			g.server, g.began = at, time.Now()
		}
	}
	return g.server.IsValid()
}

// end deletes the dialog where it is.
func (g *dialog) end(ctx context.Context) (relay.Quality, bool) {
	if !g.server.IsValid() && !g.find(ctx) {
		return relay.Quality{}, false
	}
	q := g.request(ng.Delete)
	q.DeleteNow = true
	bare := q
	// Without a tag rtpengine deletes the whole call, and gives no figures.
	if q.ViaBranch, q.FromTag = "", g.first; g.first == "" {
		q.FromTag, q.ToTag = media.Outside.String(), media.Inside.String()
	}
	r, err := g.relay.client.Do(ctx, g.server, q)
	if err == nil && r.Report == nil {
		r, err = g.relay.client.Do(ctx, g.server, bare)
	}
	g.server, g.now = netip.AddrPort{}, [2]*voice{}
	g.propose(media.Outside, nil)
	g.propose(media.Inside, nil)
	if err != nil || r.Report == nil {
		return relay.Quality{}, false
	}
	return qualityOf(r.Report, g.began), true
}
