package lab

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"golang.org/x/sync/errgroup"
)

// settle adjusts what sipgo keeps process-wide, before the first agent exists. It refuses datagrams that could be
// fragmented on an Ethernet path: loopback carries 64 KiB in one piece, and a response with two Vias, two sealed
// Record-Routes and a body may well pass 1,300 bytes. Its connections log their reference counts to the default logger
// when they are closed with the agent.
var settle = sync.OnceFunc(func() {
	sip.UDPMTUSize = 16 << 10
	sip.SetDefaultLogger(slog.New(slog.DiscardHandler))
})

// agent is the part that phones and switches share: one address on which UDP and TCP listen, and the sipgo layers.
type agent struct {
	addr netip.AddrPort
	log  *slog.Logger

	udp  *firstRead
	tcp  *net.TCPListener
	line *line // the connection of a phone over TCP; nil: sipgo connects as it needs
	ua   *sipgo.UserAgent
	srv  *sipgo.Server
	cli  *sipgo.Client

	// Whoever sends holds gate for reading, and over closes it before the sockets are closed: sipgo would bind another one for
	// what is sent then, and nobody would close that.
	gate sync.RWMutex
	over bool

	voices voices
	waits  bool // its voices talk when they are talked to
	nat    *NAT
	loses  func(packet []byte, outbound bool) bool // audio; nil: none
}

var errOver = errors.New("the agent has ended")

// request hands a request to sipgo, which starts its transaction.
func (a *agent) request(ctx context.Context, req *sip.Request) (sip.ClientTransaction, error) {
	a.gate.RLock()
	defer a.gate.RUnlock()
	if a.over {
		return nil, errOver
	}
	return a.cli.TransactionRequest(ctx, req, asIs)
}

// agentOptions say where an agent stands and how it sends.
type agentOptions struct {
	ip    netip.Addr
	name  string
	log   *slog.Logger
	nat   *NAT           // UDP passes through it; nil: straight
	proxy netip.AddrPort // kept connected by TCP; invalid: nothing is
	ping  func()         // hears of CRLF pings; may be nil
	waits bool           // talks in a call when it is talked to, not before
	loses func(packet []byte, outbound bool) bool
}

// newAgent binds UDP and TCP to the same free port.
func newAgent(o agentOptions) (*agent, error) {
	if !o.ip.IsLoopback() {
		return nil, fmt.Errorf("lab: %s is not a loopback address", o.ip)
	}
	if o.log == nil {
		o.log = slog.New(slog.DiscardHandler)
	}
	settle()
	a := &agent{log: o.log.With("agent", o.name), voices: voices{calls: make(map[string]*Voice)}, waits: o.waits, nat: o.nat, loses: o.loses}
	udp, tcp, err := listenBoth(o.ip)
	if err != nil {
		return nil, err
	}
	a.udp, a.tcp = &firstRead{PacketConn: udp, begun: make(chan struct{})}, tcp
	if o.nat != nil {
		a.udp.PacketConn = o.nat.inside(udp)
	}
	a.addr = udp.LocalAddr().(*net.UDPAddr).AddrPort()
	if o.proxy.IsValid() {
		a.line = newLine(o.ip, o.proxy)
	}
	a.ua, err = sipgo.NewUA(
		sipgo.WithUserAgent(o.name),
		sipgo.WithUserAgentTransportLayerOptions(
			sip.WithTransportLayerLogger(a.log), sip.WithTransportLayerReadFilter(a.pings(o.ping))),
		sipgo.WithUserAgentTransactionLayerOptions(
			sip.WithTransactionLayerLogger(a.log),
			// A 2xx whose transaction is gone belongs to a call that has ended; sipgo would log it as a surprise.
			sip.WithTransactionLayerUnhandledResponseHandler(func(*sip.Response) {})),
	)
	if err == nil {
		a.srv, err = sipgo.NewServer(a.ua, sipgo.WithServerLogger(a.log))
	}
	if err == nil {
		a.cli, err = sipgo.NewClient(a.ua, sipgo.WithClientLogger(a.log),
			sipgo.WithClientHostname(a.addr.Addr().String()), sipgo.WithClientPort(int(a.addr.Port())), sipgo.WithClientNAT())
	}
	if err != nil {
		return nil, errors.Join(err, a.udp.Close(), a.tcp.Close())
	}
	return a, nil
}

// firstRead tells when a socket is being read: from then on sipgo sends requests by it, before it would bind a second one.
type firstRead struct {
	net.PacketConn
	once  sync.Once
	begun chan struct{} // closed by the first ReadFrom
}

func (f *firstRead) ReadFrom(b []byte) (int, net.Addr, error) {
	f.once.Do(func() { close(f.begun) })
	return f.PacketConn.ReadFrom(b)
}

// Ports of the lab lie below those that the kernel chooses and below those of its media, and the same one does not come
// again soon: an edge that is yet to start, or is down for a while, finds its ports free.
const (
	firstPort = 10000
	portCount = 10000
)

var nextPort atomic.Uint32

func init() { nextPort.Store(rand.Uint32N(portCount)) } // another lab on this machine begins elsewhere

// listenBoth finds a port that is free for UDP and for TCP.
func listenBoth(ip netip.Addr) (*net.UDPConn, *net.TCPListener, error) {
	var last error
	for range portCount {
		at := netip.AddrPortFrom(ip, uint16(firstPort+nextPort.Add(1)%portCount))
		tcp, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
		if err == nil {
			var udp *net.UDPConn
			if udp, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(at)); err == nil {
				return udp, tcp, nil
			}
			tcp.Close()
		}
		if last = err; !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	return nil, nil, fmt.Errorf("lab: no port of %s is free for both UDP and TCP: %w", ip, last)
}

// run serves until ctx ends; nothing is left running or bound when it returns.
func (a *agent) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return ended(ctx, a.srv.ServeUDP(a.udp)) })
	g.Go(func() error { return ended(ctx, a.srv.ServeTCP(a.tcp)) })
	if a.line != nil {
		g.Go(func() error { return ended(ctx, a.srv.ServeTCP(a.line)) })
	}
	g.Go(func() error {
		<-ctx.Done()
		a.gate.Lock()
		a.over = true
		a.gate.Unlock()
		a.hushAll()
		err := errors.Join(a.udp.Close(), a.tcp.Close())
		if a.line != nil {
			err = errors.Join(err, a.line.Close())
		}
		return err
	})
	return errors.Join(g.Wait(), a.ua.Close())
}

// ended turns the end of a read loop into nothing when we asked for it.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	if err == nil {
		return errors.New("lab: a listener stopped by itself")
	}
	return err
}

// stamp adds our Via and chooses the local socket: the listener for UDP, our address and any port for TCP.
func (a *agent) stamp(req *sip.Request) {
	transport := req.Transport()
	via := &sip.ViaHeader{
		ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: transport,
		Host: a.addr.Addr().String(), Port: int(a.addr.Port()),
	}
	via.Params.Add("branch", sip.GenerateBranch())
	via.Params.Add("rport", "")
	req.PrependHeader(via)
	req.Laddr = sip.Addr{IP: net.IP(a.addr.Addr().AsSlice())}
	if transport == "UDP" {
		req.Laddr.Port = int(a.addr.Port())
	}
	if req.Body() == nil {
		req.SetBody(nil) // writes Content-Length: 0
	}
}

// asIs is the option by which sipgo adds nothing of its own to a request.
func asIs(*sipgo.Client, *sip.Request) error { return nil }

// start begins a client transaction for a complete request, once the agent runs.
func (a *agent) start(ctx context.Context, req *sip.Request) (sip.ClientTransaction, error) {
	select {
	case <-a.udp.begun:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if a.line != nil && req.Transport() == "TCP" {
		if err := a.line.up(ctx); err != nil {
			return nil, err
		}
	}
	a.stamp(req)
	return a.request(ctx, req)
}

// write sends a request outside any transaction: the ACK of a 2xx.
func (a *agent) write(req *sip.Request) error {
	a.stamp(req)
	a.gate.RLock()
	defer a.gate.RUnlock()
	if a.over {
		return errOver
	}
	return a.cli.WriteRequest(req, asIs)
}

// ask sends a request and waits for its final response. The connection of a phone over TCP takes its requests along when it
// breaks (RFC 3261 section 17.1.4).
func (a *agent) ask(ctx context.Context, req *sip.Request) (*sip.Response, error) {
	tx, err := a.start(ctx, req)
	if err != nil {
		return nil, err
	}
	defer tx.Terminate()
	var broken <-chan struct{}
	if req.Transport() == "TCP" {
		broken = a.broken()
	}
	for {
		select {
		case res := <-tx.Responses():
			if !res.IsProvisional() {
				return res, nil
			}
		case <-tx.Done():
			return nil, fmt.Errorf("%s had no final response: %w", req.Method, tx.Err())
		case <-broken:
			return nil, fmt.Errorf("%s: %w", req.Method, errBroken)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

var errBroken = errors.New("the connection broke before the final response")

// contact is the URI by which peers reach this agent.
func (a *agent) contact(user, transport string) sip.Uri {
	u := sip.Uri{Scheme: "sip", User: user, Host: a.addr.Addr().String(), Port: int(a.addr.Port())}
	if transport != "UDP" {
		u.UriParams = sip.NewParams()
		u.UriParams.Add("transport", strings.ToLower(transport))
	}
	return u
}

// newRequest is a request outside a dialog: the headers of RFC 3261 section 8.1.1, but for the Via.
func newRequest(method sip.RequestMethod, target, from, to sip.Uri, callID string, cseq uint32) *sip.Request {
	req := sip.NewRequest(method, target)
	f := &sip.FromHeader{Address: from, Params: sip.NewParams()}
	f.Params.Add("tag", sip.GenerateTagN(12))
	id, maxForwards := sip.CallIDHeader(callID), sip.MaxForwardsHeader(70)
	req.AppendHeader(f)
	req.AppendHeader(&sip.ToHeader{Address: to})
	req.AppendHeader(&id)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: cseq, MethodName: method})
	req.AppendHeader(&maxForwards)
	return req
}

// headers every request and response of the lab carries after the mandatory ones.
func contactHeader(u sip.Uri) sip.Header { return &sip.ContactHeader{Address: u} }

// parseURI reads "sip:user@host" or plain "user@host".
func parseURI(s string) (sip.Uri, error) {
	if !strings.Contains(s, ":") || !strings.HasPrefix(strings.ToLower(s), "sip") {
		s = "sip:" + s
	}
	var u sip.Uri
	if err := sip.ParseUri(s, &u); err != nil {
		return u, fmt.Errorf("lab: %q is no SIP address: %w", s, err)
	}
	return u, nil
}
