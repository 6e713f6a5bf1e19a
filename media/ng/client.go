package ng

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// What a Client's caller can tell apart, besides the Reasons of servers.
var (
	ErrBusy    = errors.New("ng: too many commands are waiting for their answers")
	ErrTimeout = errors.New("ng: no answer")
	ErrRefused = errors.New("ng: nobody listens there")
	ErrServer  = errors.New("ng: not one of the servers")
	ErrClosed  = errors.New("ng: the client has ended")
	ErrRequest = errors.New("ng: a request that can not be sent")
)

// ClientConfig is what a Client is told. Zero values mean the default.
type ClientConfig struct {
	Servers     []netip.AddrPort // 1 to 64
	Bind        netip.Addr       // where commands come from; not valid: the kernel's choice
	Tries       int              // how often a command is sent; 3
	Interval    time.Duration    // from the first try to the second; it doubles from try to try; 300 ms
	Ping        time.Duration    // between two pings to a server; 2 s
	Misses      int              // pings in a row without an answer until a server is not healthy; 3
	Outstanding int              // commands waiting for answers; 1024
}

func (c *ClientConfig) defaults() {
	set := func(v *int, to int) {
		if *v == 0 {
			*v = to
		}
	}
	set(&c.Tries, 3)
	set(&c.Misses, 3)
	set(&c.Outstanding, 1024)
	if c.Interval == 0 {
		c.Interval = 300 * time.Millisecond
	}
	if c.Ping == 0 {
		c.Ping = 2 * time.Second
	}
}

// Validate names every fault.
func (c ClientConfig) Validate() error {
	c.defaults()
	var errs []error
	if n := len(c.Servers); n < 1 || n > 64 {
		errs = append(errs, fmt.Errorf("ng: %d servers, not 1 to 64", n))
	}
	for i, s := range c.Servers {
		if !s.IsValid() || s.Port() == 0 || slices.Contains(c.Servers[:i], s) {
			errs = append(errs, fmt.Errorf("ng: server %v: no address with a port, or given twice", s))
		}
	}
	if c.Tries < 1 || c.Tries > 10 || c.Misses < 1 || c.Outstanding < 1 || c.Interval < time.Millisecond || c.Ping < time.Millisecond {
		errs = append(errs, errors.New("ng: tries (1 to 10), misses, outstanding, interval or ping (1 ms or more) out of range"))
	}
	return errors.Join(errs...)
}

// A Client commands several servers. Any goroutine may use it while Run runs; each command waits in its caller's goroutine,
// of which there are at most Outstanding. It keeps no record of calls: who placed one keeps the server that Place names, and
// says it in every Do, so that after a restart the call still finds its server.
type Client struct {
	cfg    ClientConfig
	peers  []*peer
	prefix string // of cookies, random: two clients never share one

	done        chan struct{} // closed when Run ends
	serial      atomic.Uint64
	outstanding atomic.Int64
	sent        atomic.Uint64 // datagrams
	repeated    atomic.Uint64 // of them
	timeouts    atomic.Uint64
	failovers   atomic.Uint64
}

// NewClient opens its sockets. What it returns must be run.
func NewClient(cfg ClientConfig) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.defaults()
	c := &Client{cfg: cfg, prefix: rand.Text()[:16], done: make(chan struct{})}
	for _, addr := range cfg.Servers {
		p, err := dialPeer(addr, cfg.Bind, cfg.Misses)
		if err != nil {
			c.close()
			return nil, err
		}
		c.peers = append(c.peers, p)
	}
	return c, nil
}

func (c *Client) close() {
	for _, p := range c.peers {
		p.conn.Close()
	}
}

// Run reads answers and pings, until ctx ends. Commands that still wait then get ErrClosed.
func (c *Client) Run(ctx context.Context) error {
	var g sync.WaitGroup
	for _, p := range c.peers {
		g.Go(p.read)
		g.Go(func() { c.ping(ctx, p) })
	}
	<-ctx.Done()
	close(c.done)
	c.close()
	g.Wait()
	return nil
}

// ping keeps the health of one server.
func (c *Client) ping(ctx context.Context, p *peer) {
	tick := time.NewTicker(c.cfg.Ping)
	defer tick.Stop()
	for {
		began := time.Now()
		_, err := c.exchange(ctx, p, &Request{Command: Ping}, attempt{tries: 1, wait: c.cfg.Ping, fast: true})
		switch {
		case err == nil:
			p.health.pinged(time.Since(began))
		case errors.Is(err, ErrTimeout):
			p.health.missed()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Place sends the offer of a new call to the server that its Call-ID chooses among the healthy, and to the next when one does not
// answer, is not there or takes no more calls. It says which server has the call now: the one for every Do of that call.
func (c *Client) Place(ctx context.Context, q Request) (Response, netip.AddrPort, error) {
	if q.Command != Offer {
		return Response{}, netip.AddrPort{}, fmt.Errorf("%w: Place is for offers", ErrRequest)
	}
	q.LoadLimit = true
	order := c.order(q.CallID)
	var failed error
	for i, p := range order {
		if i > 0 {
			c.failovers.Add(1)
		}
		// Of the time that is left, each server has its share.
		one, cancel := ctx, context.CancelFunc(func() {})
		if deadline, limited := ctx.Deadline(); limited {
			one, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(len(order)-i))
		}
		r, err := c.exchange(one, p, &q, attempt{tries: c.cfg.Tries, wait: c.cfg.Interval, fast: true})
		cancel()
		if err == nil {
			return r, p.addr, nil
		}
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			err = fmt.Errorf("%v: %w", p.addr, ErrTimeout)
		}
		failed = err
		switch {
		case errors.Is(err, ErrTimeout):
			// It may have carried the offer out: what it opened is not waited for.
			p.send(appendMessage(nil, c.cookie(), (&Request{Command: Delete, CallID: q.CallID, FromTag: q.FromTag, ViaBranch: q.ViaBranch, DeleteNow: true}).dict()))
		case !errors.Is(err, ErrRefused) && !errors.Is(err, ErrLoadLimit):
			return Response{}, netip.AddrPort{}, err
		}
	}
	return Response{}, netip.AddrPort{}, failed
}

// Do sends a command to the server that has the call, and to no other. An error is a Reason when the server refused.
func (c *Client) Do(ctx context.Context, server netip.AddrPort, q Request) (Response, error) {
	for _, p := range c.peers {
		if p.addr == server {
			return c.exchange(ctx, p, &q, attempt{tries: c.cfg.Tries, wait: c.cfg.Interval})
		}
	}
	return Response{}, fmt.Errorf("%w: %v", ErrServer, server)
}

// attempt says how long a command is tried.
type attempt struct {
	tries int
	wait  time.Duration // after the first; it doubles
	fast  bool          // give up when nobody listens
}

// exchange is the life of a command: sent, repeated with its cookie, answered.
func (c *Client) exchange(ctx context.Context, p *peer, q *Request, a attempt) (Response, error) {
	if err := q.missing(); err != nil {
		return Response{}, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	if c.outstanding.Add(1) > int64(c.cfg.Outstanding) {
		c.outstanding.Add(-1)
		return Response{}, ErrBusy
	}
	defer c.outstanding.Add(-1)
	cookie := c.cookie()
	msg := appendMessage(nil, cookie, q.dict())
	if len(msg) > MaxMessage {
		return Response{}, fmt.Errorf("%w: %d bytes", ErrRequest, len(msg))
	}
	ch := p.expect(cookie)
	defer p.forget(cookie)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for try := 0; ; {
		select {
		case <-timer.C:
			if try == a.tries {
				c.timeouts.Add(1)
				if q.Command != Ping {
					p.health.missed()
				}
				return Response{}, fmt.Errorf("%v: %w", p.addr, ErrTimeout)
			}
			if try++; try > 1 {
				c.repeated.Add(1)
			}
			c.sent.Add(1)
			p.send(msg)
			timer.Reset(a.wait << (try - 1))
		case got := <-ch:
			if got.refused {
				if a.fast {
					return Response{}, fmt.Errorf("%v: %w", p.addr, ErrRefused)
				}
				continue
			}
			return readResponse(q.Command, got.dict)
		case <-ctx.Done():
			if try > 1 && q.Command != Ping && errors.Is(ctx.Err(), context.DeadlineExceeded) {
				p.health.missed() // it has not answered, although it was asked twice
			}
			return Response{}, ctx.Err()
		case <-c.done:
			return Response{}, ErrClosed
		}
	}
}

func (c *Client) cookie() string { return c.prefix + "_" + strconv.FormatUint(c.serial.Add(1), 10) }

// ServerHealth is what the client knows of a server.
type ServerHealth struct {
	Server    netip.AddrPort
	Up        bool
	RTT       time.Duration // of the last ping that was answered; 0: none was
	Late      uint64        // answers that nobody waited for any more
	Malformed uint64        // datagrams that are no answers
}

// Health of the servers, in the order of the configuration.
func (c *Client) Health() []ServerHealth {
	list := make([]ServerHealth, len(c.peers))
	for i, p := range c.peers {
		up := p.health.up()
		p.health.mu.Lock()
		list[i] = ServerHealth{p.addr, up, p.health.rtt, p.late.Load(), p.malformed.Load()}
		p.health.mu.Unlock()
	}
	return list
}

// ClientCounters are totals since NewClient.
type ClientCounters struct{ Sent, Repeated, Timeouts, Failovers uint64 }

// Counters of the client.
func (c *Client) Counters() ClientCounters {
	return ClientCounters{c.sent.Load(), c.repeated.Load(), c.timeouts.Load(), c.failovers.Load()}
}
