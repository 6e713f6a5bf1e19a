package media

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Options configure an Engine.
type Options struct {
	// Addresses to bind to. At least one per side; the one with 6 is for the other family. The two sides may share one.
	Outside, Inside   netip.Addr
	Outside6, Inside6 netip.Addr
	// What SDP says instead of a bound address, where a cloud's network translates it.
	Advertise map[netip.Addr]netip.Addr

	Ports     PortRange      // of each address. Default 20000 to 39999
	State     string         // folder of the journal; empty: sessions do not survive the process
	Threads   int            // 0: half of the processors, at most 4. An idle thread costs nothing; see doc.go
	MediaNets []netip.Prefix // where the platforms' media servers are: inside legs lock on any of these
	DSCP      uint8          // marks what is sent (RFC 2474); 46 is expedited forwarding, 0 marks nothing
	Silence   time.Duration  // of a party before it is an event. Default 10 s

	// OnEvent is called from one goroutine of Run, never from a thread: it may be slow. Up to 1024 events wait for it;
	// more are counted and lost.
	OnEvent func(Event)
}

func (o *Options) setDefaults(processors int) {
	if o.Ports == (PortRange{}) {
		o.Ports = PortRange{20000, 39999}
	}
	if o.Threads == 0 {
		o.Threads = max(1, min(4, processors/2))
	}
	if o.Silence == 0 {
		o.Silence = 10 * time.Second
	}
	if o.OnEvent == nil {
		o.OnEvent = func(Event) {}
	}
}

// validate names every fault at once.
func (o *Options) validate() error {
	errs := []error{o.Ports.check()}
	for _, a := range []struct {
		name     string
		addr     netip.Addr
		required bool
	}{
		{"outside", o.Outside, !o.Outside6.IsValid()}, {"inside", o.Inside, !o.Inside6.IsValid()},
		{"outside6", o.Outside6, false}, {"inside6", o.Inside6, false},
	} {
		switch {
		case !a.addr.IsValid() && a.required:
			errs = append(errs, fmt.Errorf("media: no %s address", a.name))
		case !a.addr.IsValid():
		case a.addr.IsUnspecified() || a.addr.IsMulticast() || a.addr.Is4In6() || a.addr.Zone() != "":
			errs = append(errs, fmt.Errorf("media: %s address %v can not stand in SDP", a.name, a.addr))
		}
	}
	for _, p := range [][2]netip.Addr{{o.Outside, o.Outside6}, {o.Inside, o.Inside6}} {
		if p[0].IsValid() && p[1].IsValid() && p[0].Is4() == p[1].Is4() {
			errs = append(errs, fmt.Errorf("media: %v and %v are of one family", p[0], p[1]))
		}
	}
	if o.Threads < 0 || o.Threads > 64 {
		errs = append(errs, fmt.Errorf("media: %d threads, want 1 to 64", o.Threads))
	}
	if o.DSCP > 63 {
		errs = append(errs, fmt.Errorf("media: DSCP %d is over 63", o.DSCP))
	}
	if o.Silence < time.Second {
		errs = append(errs, fmt.Errorf("media: silence of %v is no event; want 1s or more", o.Silence))
	}
	return errors.Join(errs...)
}

// Family is the address family of a leg.
type Family uint8

const (
	AnyFamily Family = iota // IPv4 if the side has it
	IPv4
	IPv6
)

// Families are the address families of a session's legs: a phone may speak IPv6 and the platform IPv4.
type Families struct{ Outside, Inside Family }

// pick finds a side's address of a family.
func (f Family) pick(a, b netip.Addr) (netip.Addr, error) {
	for _, addr := range [2]netip.Addr{a, b} {
		if addr.IsValid() && (f == AnyFamily || addr.Is4() == (f == IPv4)) {
			return addr, nil
		}
	}
	return netip.Addr{}, errFamily
}

var errFamily = errors.New("media: no address of that family")
