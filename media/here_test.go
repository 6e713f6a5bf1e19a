package media

import (
	"net/netip"
	"testing"
)

func TestOwnAddresses(t *testing.T) {
	local, public, other := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("127.0.0.9")
	e, err := New(Options{Outside: local, Inside: local, Ports: PortRange{Lo: 30000, Hi: 30009}, Advertise: map[netip.Addr]netip.Addr{local: public}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for addr, want := range map[netip.Addr]bool{local: true, public: true, netip.AddrFrom16(local.As16()): true, other: false} {
		if e.Here(addr) != want {
			t.Errorf("Here(%v) is %v", addr, !want)
		}
	}
	for port, want := range map[uint16]bool{29999: false, 30000: true, 30009: true, 30010: false} {
		if e.Ranges(port) != want {
			t.Errorf("Ranges(%d) is %v", port, !want)
		}
	}
	if !e.Has(Outside, IPv4) || !e.Has(Inside, AnyFamily) || e.Has(Inside, IPv6) {
		t.Error("the families are not those of the addresses")
	}
}
