package media

import (
	"errors"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// ErrExists is what Open answers for a key that has a session already.
var ErrExists = errors.New("media: the session exists")

const bindAttempt = 16 // pairs tried that somebody else has bound

// Open makes a session with four ports. It binds sockets and waits for nobody.
func (e *Engine) Open(key SessionKey, f Families) (*Session, error) {
	if err := key.check(); err != nil {
		return nil, err
	}
	outside, err1 := f.Outside.pick(e.options.Outside, e.options.Outside6)
	inside, err2 := f.Inside.pick(e.options.Inside, e.options.Inside6)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	if _, exists := e.Session(key); exists {
		return nil, ErrExists // before ports are taken that would have to rest
	}
	s := e.newSession(key)
	for leg, addr := range [2]netip.Addr{outside, inside} {
		if err := e.bind(s, Leg(leg), addr); err != nil {
			e.unbind(s)
			return nil, err
		}
	}
	if err := e.add(s); err != nil {
		e.unbind(s)
		return nil, err
	}
	return s, nil
}

func (e *Engine) newSession(key SessionKey) *Session {
	s := &Session{key: key, engine: e, opened: e.now(), slot: -1, mediaNets: e.options.MediaNets}
	for p := range s.sockets {
		s.sockets[p] = -1
	}
	for leg := range s.legs {
		s.legs[leg].aim.Store(firstAim)
	}
	return s
}

// bind gives a leg a pair of ports that is free, in our books and in the kernel's.
func (e *Engine) bind(s *Session, leg Leg, addr netip.Addr) error {
	pool := e.pools[addr]
	var err error
	for range bindAttempt {
		var p uint16
		if p, err = pool.take(e.now()); err != nil {
			return err
		}
		if err = e.bindPair(s, leg, addr, p); err == nil {
			return nil
		}
		pool.put(p, e.now())
		if !errors.Is(err, unix.EADDRINUSE) {
			break
		}
	}
	return err
}

func (e *Engine) bindPair(s *Session, leg Leg, addr netip.Addr, p uint16) error {
	rtp, err := openSocket(netip.AddrPortFrom(addr, p), e.options.DSCP)
	if err != nil {
		return err
	}
	rtcp, err := openSocket(netip.AddrPortFrom(addr, p+1), e.options.DSCP)
	if err != nil {
		unix.Close(rtp)
		return err
	}
	s.sockets[rtpPort(leg)], s.sockets[rtcpPort(leg)] = rtp, rtcp
	l := &s.legs[leg]
	l.addr, l.say, l.rtpPort = addr, addr, p
	if a, ok := e.options.Advertise[addr]; ok {
		l.say = a
	}
	return nil
}

// unbind undoes what bind did for a session that never was.
func (e *Engine) unbind(s *Session) {
	s.closeSockets()
	e.rest(s, e.now())
}

// rest lays a session's ports to rest.
func (e *Engine) rest(s *Session, now time.Duration) {
	for leg := range s.legs {
		if l := &s.legs[leg]; l.rtpPort != 0 {
			e.pools[l.addr].put(l.rtpPort, now)
		}
	}
}

// add gives a session its place and its thread.
func (e *Engine) add(s *Session) error {
	e.mu.Lock()
	switch {
	case e.closed:
		e.mu.Unlock()
		return ErrClosed
	case e.sessions[s.key] != nil:
		e.mu.Unlock()
		return ErrExists
	}
	s.thread = e.place()
	s.thread.load.Add(1)
	e.sessions[s.key] = s
	e.opened++
	e.journal.mark(s) // under mu: in the order in which sessions of one key follow each other
	e.mu.Unlock()
	s.thread.do(func() { s.thread.adopt(s) })
	return nil
}

// place finds the thread of a new session: the first that is not full, else the emptiest. Few busy threads cost less
// than many idle ones.
func (e *Engine) place() *thread {
	emptiest := e.threads[0]
	for _, t := range e.threads {
		n := t.load.Load()
		if n < fullThread {
			return t
		}
		if n < emptiest.load.Load() {
			emptiest = t
		}
	}
	return emptiest
}
