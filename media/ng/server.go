package ng

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/netip"
	"slices"
	"time"
)

// A Handler carries commands out. Each function gets a request that has every key its command requires; an error it
// returns is told to the client as it is, so it should be a Reason. ErrUnknownCall from Delete is told as a warning unless
// the request is Fatal. Ping needs no handler.
type Handler struct {
	Offer, Answer, Delete, Query, List, Statistics func(Request) (Response, error)
}

// ServerConfig is what a Server is told.
type ServerConfig struct {
	Listen netip.AddrPort // port 0: a free one
	Allow  []netip.Prefix // who may command; empty: loopback
}

// Validate names every fault.
func (c *ServerConfig) Validate() error {
	var errs []error
	if !c.Listen.Addr().IsValid() {
		errs = append(errs, errors.New("ng: no address to listen on"))
	}
	for _, p := range c.Allow {
		if !p.IsValid() {
			errs = append(errs, fmt.Errorf("ng: %v is no prefix", p))
		}
	}
	return errors.Join(errs...)
}

// A Server answers NG commands on one UDP socket.
//
// One goroutine, in Run, reads a command, carries it out and sends the answer before it reads the next. So commands are
// carried out in the order in which they came, an answer never overtakes the offer that it belongs to, a command that is repeated while the first is
// being carried out finds the first's answer, and the memory of answers needs no lock. The price: handlers must not wait. They bind sockets and write
// maps, some 50 microseconds for a call; the kernel's buffer holds what comes meanwhile. A goroutine for each datagram was rejected: it loses the order and has
// no bound. Workers by Call-ID would keep the order, and can come when one core is not enough.
type Server struct {
	conn    *net.UDPConn
	allow   []netip.Prefix
	handler Handler

	answered answered // of Run alone

	counters counters
}

// NewServer listens. What it returns must be run, or closed.
func NewServer(c ServerConfig, h Handler) (*Server, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if h.Offer == nil || h.Answer == nil || h.Delete == nil || h.Query == nil || h.List == nil || h.Statistics == nil {
		return nil, errors.New("ng: a handler without all of its functions")
	}
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(c.Listen))
	if err != nil {
		return nil, fmt.Errorf("ng: %w", err)
	}
	conn.SetReadBuffer(1 << 20) // less if the kernel does not want to
	return &Server{conn: conn, allow: slices.Clone(c.Allow), handler: h}, nil
}

// Addr is where it listens.
func (s *Server) Addr() netip.AddrPort { return s.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

// Close frees the port of a server that was not run.
func (s *Server) Close() error { return s.conn.Close() }

// Counters yields what was counted: commands, repeated, refused, and each reason for silence.
func (s *Server) Counters() iter.Seq2[string, uint64] { return s.counters.all() }

// Run answers until ctx ends, then closes the socket and returns nil.
func (s *Server) Run(ctx context.Context) error {
	defer s.conn.Close()
	stop := context.AfterFunc(ctx, func() { s.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	buf := make([]byte, MaxMessage)
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(buf)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("ng: %w", err)
		}
		answer, why := s.answer(from, buf[:n], time.Now())
		if why == dropNone {
			if _, err := s.conn.WriteToUDPAddrPort(answer, from); err != nil {
				why = dropSend
			}
		}
		if why != dropNone {
			s.counters.drops[why].Add(1)
		}
	}
}

// answer is what a datagram is answered with.
func (s *Server) answer(from netip.AddrPort, msg []byte, now time.Time) ([]byte, drop) {
	if !s.allowed(from.Addr()) {
		return nil, dropSource
	}
	cookie, body, err := cutMessage(msg)
	if err != nil {
		return nil, dropCookie
	}
	s.counters.commands.Add(1)
	key := answerKey{from, cookie}
	if answer, found := s.answered.find(key, now); found {
		s.counters.repeated.Add(1)
		return answer, dropNone
	}
	d, err := s.carryOut(body)
	if err != nil {
		s.counters.refused.Add(1)
		d = errorDict(err)
	}
	answer := appendMessage(nil, cookie, d)
	if len(answer) > MaxMessage {
		s.counters.refused.Add(1)
		answer = appendMessage(nil, cookie, errorDict(ErrTooLong))
	}
	s.answered.keep(key, answer, now)
	return answer, dropNone
}

func (s *Server) allowed(addr netip.Addr) bool {
	addr = addr.Unmap()
	if len(s.allow) == 0 {
		return addr.IsLoopback()
	}
	return slices.ContainsFunc(s.allow, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// carryOut is the life of a command.
func (s *Server) carryOut(body []byte) (Dict, error) {
	if len(body) == 0 {
		return nil, ErrNoPayload
	}
	d, err := decode(body)
	if err != nil {
		return nil, ErrFormat
	}
	q, err := readRequest(d)
	if err != nil {
		return nil, err
	}
	var r Response
	switch q.Command {
	case Ping:
		return Dict{"result": "pong"}, nil
	case Offer:
		r, err = s.handler.Offer(q)
	case Answer:
		r, err = s.handler.Answer(q)
	case Query:
		r, err = s.handler.Query(q)
	case List:
		r, err = s.handler.List(q)
	case Statistics:
		r, err = s.handler.Statistics(q)
	case Delete:
		r, err = s.handler.Delete(q)
		if errors.Is(err, ErrUnknownCall) {
			if q.Fatal {
				return nil, ErrNoSuchBranch
			}
			r, err = Response{Warning: string(ErrNoSuchBranch)}, nil
		}
	}
	switch {
	case errors.Is(err, ErrLoadLimit) && q.LoadLimit:
		return Dict{"result": string(ErrLoadLimit)}, nil
	case err != nil:
		return nil, err
	}
	return r.dict(q.Command), nil
}
