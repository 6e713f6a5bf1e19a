package shadow

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/compare"
	"github.com/hotcut/hotcut/migration/shadow/record"
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/tap"
	"github.com/hotcut/hotcut/proxy/wire"
)

// Dark is a dark core: the second instance of the core's build that the copies go to.
type Dark struct {
	Name    string
	Addr    netip.AddrPort // over UDP, in datagrams as large as they have to be
	Build   string         // of the core; each build has counts of its own
	Sources []netip.Prefix // it may send from these besides Addr
}

// Options is what a Mirror is made of. What has a default may be left out.
type Options struct {
	Edge, Boot string           // whose counts these are
	Sockets    []netip.AddrPort // the `side: shadow` listeners; one of a family is enough, port 0 takes any
	Dark       []Dark           // a tenant has one of them, by the hash of its id
	// Policy is the snapshot in force. A tenant that it does not mirror has no shadow call, from the moment it says so.
	Policy   func() *policy.Snapshot
	Bindings func(tenant string) []tap.Binding // the tenant's live phones; nil: none are registered at the dark core
	Secret   []byte                            // of every identity of ours: 16 bytes at least, the same on every edge
	// Answer is the header line (with its CRLF) that answers a dark core's challenge for an address-of-record, from what the edge was given to
	// know (HA1); "": it does not know. nil: the dark core trusts the edge, and where it asks all the same the comparison ends there.
	Answer func(challenge *wire.Message, method, uri, aor string) string
	// Verdict is told of every finished call what Judge said, on the mirror's goroutine: it must be quick, and keep the exchanges if it will.
	Verdict func(v *compare.Verdict, live, shadow *record.Exchange)
	Alarm   func(what string, err error)        // what: "shadow_escape" and "shadow_fault" (mirroring has stopped)
	Rules   []compare.Rule                      // nil: those of the tenant's profile
	Profile func(tenant string) *record.Profile // how its platforms' habits are read; nil, or a nil result: the defaults
	// Yield is called on the mirror's goroutine after each message and between the steps of a comparison, some tens of microseconds apart: calls
	// that share its processors have their turn. nil: nothing.
	Yield func()
	// Judge compares two exchanges and returns them as they may be kept; nil: by Rules and Profile, redacted with Secret.
	Judge func(live, shadow *record.Exchange) (v *compare.Verdict, liveKept, shadowKept *record.Exchange)

	Memory   int64         // bytes of messages that are kept, of all calls; 64 MiB
	Calls    int           // shadow calls at a time; 4,096
	Messages int           // of one exchange that are kept; 200
	Legs     int           // far legs at a time, of each side; 4 per call
	Slots    int           // of the ring that the edge puts into; tap.DefaultSlots
	SlotSize int           // bytes of the longest message that is mirrored; tap.DefaultSlotBytes
	Longest  time.Duration // of a shadow call: it is hung up and compared so far; 1 h

	BlackHole   netip.Addr // in every SDP that leaves; nothing is sent there: 192.0.2.1
	Canary      string     // the number that the canary calls; it must lead to the dark core's trunk: +12025550199
	Correlation string     // header by which a platform names on a far leg the Call-ID of the near one; "": none
	RegisterPer int        // REGISTERs per second and dark core; 50

	Log *slog.Logger
	Now func() int64 // unix nanoseconds; time.Now
}

func (o *Options) defaults() {
	set(&o.Memory, 64<<20)
	set(&o.Calls, 4096)
	set(&o.Messages, 200)
	set(&o.Legs, 4*o.Calls)
	set(&o.Slots, tap.DefaultSlots)
	set(&o.SlotSize, tap.DefaultSlotBytes)
	set(&o.Longest, time.Hour)
	set(&o.BlackHole, netip.AddrFrom4([4]byte{192, 0, 2, 1}))
	set(&o.Canary, "+12025550199")
	set(&o.Boot, rand.Text()) // no branch of a process before this one may come again
	set(&o.RegisterPer, 50)
	if o.Judge == nil {
		o.Judge = o.judge
	}
	if o.Yield == nil {
		o.Yield = func() {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = func() int64 { return time.Now().UnixNano() }
	}
}

func set[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

func (o *Options) check() error {
	var errs []error
	if len(o.Secret) < 16 {
		errs = append(errs, errors.New("shadow: the secret has fewer than 16 bytes: identities of shadow calls could be guessed"))
	}
	if len(o.Dark) == 0 {
		errs = append(errs, errors.New("shadow: no dark core"))
	}
	if len(o.Sockets) == 0 {
		errs = append(errs, errors.New("shadow: no listener of side shadow"))
	}
	if o.Policy == nil {
		errs = append(errs, errors.New("shadow: nobody says which tenants are mirrored"))
	}
	for _, d := range o.Dark {
		if !d.Addr.IsValid() || d.Addr.Port() == 0 {
			errs = append(errs, fmt.Errorf("shadow: dark core %s has no address", d.Name))
		} else if o.socketFor(d.Addr) < 0 {
			errs = append(errs, fmt.Errorf("shadow: no listener of side shadow reaches dark core %s at %s: one of its family is needed", d.Name, d.Addr))
		}
	}
	for _, a := range o.Sockets {
		if !a.IsValid() || a.Addr().IsUnspecified() {
			errs = append(errs, fmt.Errorf("shadow: listener %s names no address: the dark core must be told one", a))
		}
	}
	if strings.Trim(o.Canary, "+0123456789") != "" || len(o.Canary) < 3 {
		errs = append(errs, fmt.Errorf("shadow: the canary calls %q, which is no number", o.Canary))
	}
	return errors.Join(errs...)
}

// socketFor is the listener of the address's family, -1 where there is none.
func (o *Options) socketFor(a netip.AddrPort) int {
	for i, s := range o.Sockets {
		if s.Addr().Is4() == a.Addr().Unmap().Is4() {
			return i
		}
	}
	return -1
}
