package policy

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
)

func TestTrunksByMostSpecificNetwork(t *testing.T) {
	s := snapshot(t,
		tenant("wide", func(t *Tenant) {
			t.Trunks = []Trunk{{Name: "net", Source: "192.0.2.0/24"}, {Name: "v6", Source: "2001:db8::/32"}}
		}),
		tenant("narrow", func(t *Tenant) {
			t.Trunks = []Trunk{{Name: "host", Source: "192.0.2.7/32", Port: 5060}, {Name: "tls", Source: "192.0.2.7/32", Port: 5060, Transport: "tls"}, {Name: "v6", Source: "2001:db8:1::/48", Transport: "udp"}}
		}),
		tenant("second", func(t *Tenant) { t.Trunks = []Trunk{{Name: "b", Source: "192.0.2.7/32", Port: 5070}} }))
	for _, tc := range []struct{ src, transport, want string }{
		{"192.0.2.1:9", "udp", "wide/net"},
		{"192.0.2.7:5060", "udp", "narrow/host"},
		{"192.0.2.7:5060", "tls", "narrow/tls"},
		{"192.0.2.7:5070", "udp", "second/b"},
		{"192.0.2.7:5080", "udp", "wide/net"},
		{"[::ffff:192.0.2.7]:5060", "udp", "narrow/host"},
		{"[2001:db8:1::5]:5060", "udp", "narrow/v6"},
		{"[2001:db8:1::5]:5060", "tcp", "wide/v6"},
		{"[2001:db8:1::5%eth0]:5060", "udp", "narrow/v6"},
		{"[2001:db9::]:5060", "udp", ""},
		{"198.51.100.1:5060", "udp", ""},
	} {
		got := ""
		if r, k := s.ByTrunk(netip.MustParseAddrPort(tc.src), tc.transport); r != nil {
			got = r.Tenant.ID + "/" + k.Name
		}
		if got != tc.want {
			t.Errorf("%s %s: %q, want %q", tc.src, tc.transport, got, tc.want)
		}
	}
	if r, _ := s.ByTrunk(netip.AddrPort{}, ""); r != nil {
		t.Error("no address is somebody's")
	}
}

// Against a list: random networks of several tenants, added and removed.
func TestTrunksAgainstList(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	s := Empty(testEpoch)
	for range 200 {
		id := fmt.Sprintf("t%d", r.IntN(8))
		next := tenant(id, func(t *Tenant) {
			for i := range r.IntN(3) {
				p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(r.IntN(4)), byte(r.IntN(256)), byte(r.IntN(256))}), 12+r.IntN(21)).Masked()
				t.Trunks = append(t.Trunks, Trunk{Name: fmt.Sprint(i), Source: p.String(), Port: uint16(r.IntN(2) * 5060)})
			}
		})
		tc := TenantChange{ID: id, After: next}
		if old := s.Tenant(id); old != nil {
			tc.Before = old.Tenant
		}
		if _, n, err := tryCommit(s, Change{Tenants: []TenantChange{tc}}); err == nil {
			s = n
		}
		for range 50 {
			src := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(r.IntN(4)), byte(r.IntN(256)), byte(r.IntN(256))}), 5060+uint16(r.IntN(2)))
			want, best := "", -1
			for rec := range s.All() {
				for i, k := range rec.Tenant.Trunks {
					rank := 2*rec.nets[i].Bits() + min(int(k.Port), 1)
					if rec.nets[i].Contains(src.Addr()) && (k.Port == 0 || k.Port == src.Port()) && rank > best {
						want, best = rec.Tenant.ID, rank
					}
				}
			}
			got := ""
			if rec, _ := s.ByTrunk(src, "udp"); rec != nil {
				got = rec.Tenant.ID
			}
			if got != want {
				t.Fatalf("%s is %q's, want %q", src, got, want)
			}
		}
	}
}
