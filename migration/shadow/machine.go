package shadow

import (
	"net/netip"
	"strconv"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/record"
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/tap"
	"github.com/hotcut/hotcut/proxy/transaction"
	"github.com/hotcut/hotcut/proxy/wire"
)

// datagram is one message to a dark core.
type datagram struct {
	socket int
	to     netip.AddrPort
	raw    []byte
}

// machine is the mirror without its sockets and its clock. An event and the time go in by tapped, received and advance;
// what is to be sent stands in out afterwards. It is single-threaded: one goroutine owns it.
type machine struct {
	// Set once by newMachine.
	o      *Options
	timing transaction.Timers
	darks  []*dark

	now   int64 // of the event at hand, unix ns; it never goes back
	wheel transaction.Wheel
	out   []datagram
	id    identity

	tenants map[string]*tenant
	calls   map[string]*call    // by callKey of the live near leg
	lives   map[string]*liveLeg // live far legs, by Call-ID and From-tag
	dialogs map[string]*dialog  // ours, by Call-ID and our tag
	clients map[string]*client  // by branch and method
	servers map[string]*server  // by branch, sent-by and method
	twins   map[*twin]struct{}
	tokens  map[string]*binding // by the user of the Contact at which the dark core knows a phone

	bytes   int64 // kept of messages
	stats   Stats
	drops   [dropKinds]uint64
	stopped string

	ticker   alarm
	snapshot *policy.Snapshot
	recorded func(live *record.Exchange) // set: there is no dark core, and the live side is all there is
	msg      wire.Message                // of the event at hand
}

// dark is a dark core as the machine sees it.
type dark struct {
	Dark
	socket   int
	sink     netip.AddrPort // our listener's address, as the dark core is told
	lastSeen int64
	canary   canary
	lane     lane
}

func newMachine(o *Options, sinks []netip.AddrPort) *machine {
	m := &machine{o: o, timing: transaction.DefaultTimers(), tenants: map[string]*tenant{}, calls: map[string]*call{}, lives: map[string]*liveLeg{},
		dialogs: map[string]*dialog{}, clients: map[string]*client{}, servers: map[string]*server{}, twins: map[*twin]struct{}{}, tokens: map[string]*binding{}}
	m.id = identity{secret: o.Secret, boot: o.Edge + " " + o.Boot}
	for _, d := range o.Dark {
		s := o.socketFor(d.Addr)
		m.darks = append(m.darks, &dark{Dark: d, socket: s, sink: sinks[s], canary: canary{state: canaryNone}})
	}
	return m
}

// alarm is a deadline and what is done then.
type alarm struct {
	timer transaction.Timer
	fire  func()
}

// after arms an alarm anew.
func (m *machine) after(a *alarm, d time.Duration, fire func()) { m.when(a, m.now+int64(d), fire) }

func (m *machine) when(a *alarm, at int64, fire func()) {
	a.fire = fire
	a.timer.Owner = a
	m.wheel.Set(&a.timer, transaction.Time(max(at, 1)))
}

func (m *machine) stop(a *alarm) { m.wheel.Stop(&a.timer) }

// start arms what runs all the time.
func (m *machine) start(now int64) {
	m.clock(now)
	m.tick()
}

// clock sets the time of the event at hand.
func (m *machine) clock(now int64) { m.now = max(m.now, now) }

// advance fires what is due.
func (m *machine) advance(now int64) {
	m.clock(now)
	m.wheel.Advance(transaction.Time(m.now), func(t *transaction.Timer) { t.Owner.(*alarm).fire() })
}

// next is when advance is due, 0: never.
func (m *machine) next() int64 { return int64(m.wheel.Next()) }

const tickEvery = 500 * time.Millisecond

// tick is what the machine does without being asked: obey the policy, register, call the canary.
func (m *machine) tick() {
	m.obey()
	m.pace()
	m.canaries()
	for _, t := range m.tenants {
		t.lately.forget(m.now - int64(remembered))
	}
	m.after(&m.ticker, tickEvery, m.tick)
}

func (m *machine) drop(d Drop) { m.drops[d]++ }

// send queues a message to a dark core. to is its address, or that which an accepted request of it came from.
func (m *machine) send(dk *dark, to netip.AddrPort, raw []byte) {
	m.out = append(m.out, datagram{socket: dk.socket, to: to, raw: raw})
}

// tapped takes a message that the edge has let pass, or an escape.
func (m *machine) tapped(now int64, ev *tap.Event, raw []byte) {
	m.clock(now)
	if ev.Kind == tap.Escape {
		m.escaped(ev, raw)
		return
	}
	switch {
	case m.stopped != "":
		m.drop(DropStopped)
		return
	case ev.Emergency:
		m.drop(DropEmergency)
		return
	}
	if f := m.msg.Scan(raw, nil); f != wire.FaultNone {
		m.drop(DropMalformed)
		return
	}
	if m.seenOutside(&m.msg) {
		m.escape("the canary's call came in from outside")
		return
	}
	m.obey()
	t := m.tenant(ev.Tenant)
	if t == nil {
		m.drop(DropOff)
		return
	}
	if ev.Leg == tap.Far {
		m.far(t, ev, &m.msg)
	} else {
		m.near(t, ev, &m.msg)
	}
}

// received takes a datagram that came to a socket from an address of a dark core (see from).
func (m *machine) received(now int64, src netip.AddrPort, raw []byte) {
	m.clock(now)
	dk := m.from(src)
	if dk == nil {
		m.drop(DropSource)
		return
	}
	dk.lastSeen = m.now
	if f := m.msg.Scan(raw, nil); f != wire.FaultNone {
		m.drop(DropMalformed)
		return
	}
	if f := m.msg.Check(); f != wire.FaultNone && f != wire.FaultHops {
		m.drop(DropMalformed)
		return
	}
	if m.msg.Request {
		m.asked(dk, src, &m.msg)
	} else {
		m.answer(dk, &m.msg)
	}
}

// from is the dark core that an address belongs to, nil: none.
func (m *machine) from(src netip.AddrPort) *dark {
	for _, d := range m.darks {
		if d.comesFrom(src) {
			return d
		}
	}
	return nil
}

func (d *Dark) comesFrom(src netip.AddrPort) bool {
	a := src.Addr().Unmap()
	if a == d.Addr.Addr().Unmap() {
		return true
	}
	for _, p := range d.Sources {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// escape stops mirroring in this process: something of the shadow's was seen where it may not be.
func (m *machine) escape(what string) {
	m.stats.Escaped++
	if m.stopped != "" {
		return
	}
	m.stopped = what
	m.o.Log.Error("shadow escaped: mirroring has stopped", "what", what)
	m.stopAll()
	if m.o.Alarm != nil {
		m.o.Alarm("shadow_escape", errEscaped(what))
	}
}

// stopAll ends every shadow call.
func (m *machine) stopAll() {
	for _, c := range m.calls {
		m.abandon(c)
	}
	for tw := range m.twins {
		tw.leave()
	}
}

type errEscaped string

func (e errEscaped) Error() string {
	return string(e) + "; " + untilRestart
}

// snapshotStats is the Stats of now.
func (m *machine) snapshotStats() *Stats {
	s := m.stats
	s.Dropped = map[string]uint64{}
	for i, n := range m.drops {
		if n > 0 {
			s.Dropped[Drop(i).String()] = n
		}
	}
	s.Calls, s.FarLegs, s.Bytes, s.Stopped = m.running(), len(m.twins), m.bytes, m.stopped
	for _, d := range m.darks {
		s.Bindings += d.lane.held
		s.Dark = append(s.Dark, DarkStats{Name: d.Name, Build: d.Build, LastSeen: d.lastSeen, Canary: d.canary.state, CanaryAt: d.canary.at})
	}
	return &s
}

// running is how many shadow calls have something of ours at a dark core.
func (m *machine) running() int {
	n := 0
	for _, c := range m.calls {
		if !c.judged {
			n++
		}
	}
	return n
}

func itoa(n int) string { return strconv.Itoa(n) }
