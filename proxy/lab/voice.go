package lab

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/pion/rtp"
)

// Voice is one end of the audio of one call: 20 ms of PCMU fifty times a second, which only this end of this call says, and
// a check of every packet that comes from the other end. It is there from the first description to the end of the call;
// what it has heard can be read afterwards.
//
// A phone talks as soon as it knows where to; a switch waits until it is talked to, as media servers do that sit behind a
// relay: the address in a phone's description may not be the one that it can be reached by.
type Voice struct {
	conn  net.PacketConn
	local netip.AddrPort
	waits bool
	loses func(packet []byte, outbound bool) bool
	done  chan struct{} // closed by close
	close func()

	mu      sync.Mutex // guards what follows
	does    direction  // as agreed
	version int        // of our description
	remotes []netip.AddrPort
	changed chan struct{} // closed and replaced whenever something was heard
	hearing hearing

	says    tongue
	ssrc    uint32
	seq     uint16
	clock   uint32 // timestamp of the next packet
	said    int    // packets
	silent  bool   // nothing was said 20 ms ago
	keys    []byte // events that wait
	key     *keyEvent
	keyRest int // packets of audio until the next key
}

// packetTime is how much audio a packet has.
const packetTime = 20 * time.Millisecond

// voices is the audio of an agent's calls, by Call-ID.
type voices struct {
	mu      sync.Mutex // guards calls and over
	calls   map[string]*Voice
	over    bool
	tally   Tally
	running sync.WaitGroup
}

// Tally sums up what an agent has heard in the calls that are over.
type Tally struct {
	Calls   int // with audio
	Packets int
	Faulty  []Ended // calls with loss or faults, the first ones
}

// Ended is the audio of a call that is over.
type Ended struct {
	CallID string
	Audio
}

// maxVoices bounds the calls of an agent that have audio at a time, and with them its sockets.
const maxVoices = 2048

// speak opens the audio of a call. caller says which end of it we are.
func (a *agent) speak(callID string, caller bool) (*Voice, error) {
	a.voices.mu.Lock()
	defer a.voices.mu.Unlock()
	switch {
	case a.voices.over:
		return nil, errOver
	case len(a.voices.calls) >= maxVoices:
		return nil, errors.New("lab: too many calls have audio")
	case a.voices.calls[callID] != nil:
		return nil, fmt.Errorf("lab: call %s has audio already", callID)
	}
	udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(a.addr.Addr(), 0)))
	if err != nil {
		return nil, fmt.Errorf("lab: audio: %w", err)
	}
	v := &Voice{
		conn: udp, local: udp.LocalAddr().(*net.UDPAddr).AddrPort(), waits: a.waits, loses: a.loses, done: make(chan struct{}), does: bothWays,
		changed: make(chan struct{}), ssrc: rand.Uint32(), seq: uint16(rand.Uint32()), clock: rand.Uint32(), silent: true,
	}
	if a.nat != nil {
		v.conn = a.nat.inside(udp)
	}
	v.close = sync.OnceFunc(func() {
		close(v.done)
		_ = v.conn.Close() // nothing was buffered
	})
	one, other := tongues(callID)
	if !caller {
		one, other = other, one
	}
	v.says, v.hearing.expects = one, other
	a.voices.calls[callID] = v
	a.voices.running.Go(v.listen)
	a.voices.running.Go(v.talk)
	return v, nil
}

// hush ends the audio of a call, if it has any.
func (a *agent) hush(callID string) {
	a.voices.mu.Lock()
	v := a.voices.calls[callID]
	defer a.voices.mu.Unlock()
	if v == nil {
		return
	}
	delete(a.voices.calls, callID)
	v.close()
	h, t := v.Heard(), &a.voices.tally
	if h.Packets == 0 && h.Faults() == "" {
		return
	}
	t.Calls++
	t.Packets += h.Packets
	if (h.Lost > 0 || h.Faults() != "") && len(t.Faulty) < gapsNamed {
		t.Faulty = append(t.Faulty, Ended{callID, h})
	}
}

// Tally is what was heard in the calls that are over.
func (a *agent) Tally() Tally {
	a.voices.mu.Lock()
	defer a.voices.mu.Unlock()
	t := a.voices.tally
	t.Faulty = slices.Clone(t.Faulty)
	return t
}

// hushAll ends all audio and waits until it has ended.
func (a *agent) hushAll() {
	a.voices.mu.Lock()
	a.voices.over = true
	for _, v := range a.voices.calls {
		v.close()
	}
	clear(a.voices.calls)
	a.voices.mu.Unlock()
	a.voices.running.Wait()
}

// Voice is our end of the audio of a call that is up; nil if there is no such call.
func (a *agent) Voice(callID string) *Voice {
	a.voices.mu.Lock()
	defer a.voices.mu.Unlock()
	return a.voices.calls[callID]
}

// describe is our next description of a call; d is what we do from now on.
func (v *Voice) describe(name string, d direction) []byte {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.does = d
	v.version++
	return describe(name, v.local, v.version, d)
}

// follow takes up what the other end has described and returns what is left for us to do by it.
func (v *Voice) follow(body []byte) (ours direction) {
	at, theirs, ok := described(body)
	v.mu.Lock()
	defer v.mu.Unlock()
	if !ok {
		return v.does
	}
	if !slices.Contains(v.remotes, at) && len(v.remotes) < gapsNamed {
		v.remotes = append(v.remotes, at)
	}
	v.hearing.from = at
	v.does = theirs.answered()
	return v.does
}

// Remotes are the addresses to which descriptions have sent our audio, the first one first, each once.
func (v *Voice) Remotes() []netip.AddrPort {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.remotes)
}

// Newest is the sequence number of the newest packet that we have sent.
func (v *Voice) Newest() uint16 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.seq - 1
}

// Said counts the packets that we have sent.
func (v *Voice) Said() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.said
}

// Heard is what we have heard so far.
func (v *Voice) Heard() Audio {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.hearing.heard()
}

// Await waits until what was heard is as the caller wants it.
func (v *Voice) Await(ctx context.Context, what string, ok func(Audio) bool) error {
	for {
		v.mu.Lock()
		h, changed := v.hearing.heard(), v.changed
		v.mu.Unlock()
		if ok(h) {
			return nil
		}
		select {
		case <-changed:
		case <-v.done:
			return fmt.Errorf("the call ended before %s was heard; heard were %d packets", what, h.Packets)
		case <-ctx.Done():
			return fmt.Errorf("%s was not heard; heard were %d packets: %w", what, h.Packets, context.Cause(ctx))
		}
	}
}

// Press presses keys, one after the other, a sixth of a second each.
func (v *Voice) Press(keys string) error {
	codes, err := eventCodes(keys)
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.keys)+len(codes) > eventsQueued {
		return errors.New("lab: too many keys at once")
	}
	v.keys = append(v.keys, codes...)
	return nil
}

// talk sends a packet every 20 ms by the clock: what a busy machine has delayed follows at once, as a sound card does it.
func (v *Voice) talk() {
	next := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-v.done:
			return
		}
		if b, to := v.next(); b != nil && !v.lose(b, true) {
			_, _ = v.conn.WriteTo(b, net.UDPAddrFromAddrPort(to)) // the network may lose it, and so may we
		}
		next = next.Add(packetTime)
		timer.Reset(time.Until(next))
	}
}

// next is the packet of these 20 ms and where it goes; nil: there is nothing to say.
func (v *Voice) next() ([]byte, netip.AddrPort) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.clock
	v.clock += packetUnits
	if len(v.remotes) == 0 || !v.does.sends || v.waits && v.hearing.Packets == 0 {
		v.silent = true
		return nil, netip.AddrPort{}
	}
	p := rtp.Packet{Header: rtp.Header{Version: 2, Marker: v.silent, PayloadType: typePCMU, SequenceNumber: v.seq, Timestamp: now, SSRC: v.ssrc}}
	switch {
	case v.key == nil && len(v.keys) > 0 && v.keyRest == 0:
		v.key, v.keys = &keyEvent{code: v.keys[0], begin: now}, v.keys[1:]
		p.Marker = true // RFC 4733 section 2.3: the event's first packet
	case v.key == nil && v.keyRest > 0:
		v.keyRest--
	}
	if v.key == nil {
		p.Payload = v.says.audio(v.seq)
	} else {
		var over bool
		p.PayloadType, p.Timestamp = typeEvent, v.key.begin
		if p.Payload, over = v.key.next(); over {
			v.key, v.keyRest = nil, eventPause
		}
	}
	v.silent = false
	v.seq++
	v.said++
	b, err := p.Marshal()
	if err != nil {
		return nil, netip.AddrPort{} // a header without extensions always has room
	}
	return b, v.hearing.from
}

func (v *Voice) lose(packet []byte, outbound bool) bool {
	return v.loses != nil && v.loses(packet, outbound)
}

// listen checks what comes until the call ends.
func (v *Voice) listen() {
	buf := make([]byte, 2048)
	for {
		n, addr, err := v.conn.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		from, ok := addr.(*net.UDPAddr)
		if err != nil || !ok {
			continue // ICMP: nobody listens there just now
		}
		if v.lose(buf[:n], false) {
			continue
		}
		at := from.AddrPort()
		var p rtp.Packet
		bad := p.Unmarshal(buf[:n]) != nil
		v.mu.Lock()
		if bad {
			v.hearing.Wrong++
		} else {
			v.hearing.take(&p, netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), time.Now())
		}
		close(v.changed)
		v.changed = make(chan struct{})
		v.mu.Unlock()
	}
}
