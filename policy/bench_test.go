package policy

import (
	"bytes"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// fleet is 100,000 tenants with 1,000,000 numbers: seven single numbers, two ranges and a prefix each.
func fleet(n int) []*Tenant {
	list := make([]*Tenant, n)
	for i := range list {
		id := fmt.Sprintf("tenant-%06d", i)
		t := &Tenant{
			ID: id, Name: fmt.Sprintf("Tenant Number %d, Incorporated", i), Domains: []string{id + ".sip.example", id + ".example"},
			Country: "1", Area: "303", Outside: "9", Salt: fmt.Sprintf("%032x", i), HashVer: 1,
			Stage: Stage(i % 4), Share: i % FullShare, Users: make(map[string]string),
		}
		base := 2_000_000_000 + i*1000*7%8_000_000_000
		for j := range 7 {
			num := fmt.Sprintf("+1%010d", base+j*13)
			t.Numbers = append(t.Numbers, num)
			t.Users[num] = fmt.Sprintf("user%d", j)
		}
		t.Numbers = append(t.Numbers, fmt.Sprintf("+1%010d-+1%010d", base+200, base+299),
			fmt.Sprintf("+1%010d-+1%010d", base+500, base+547), fmt.Sprintf("+1%09d", (base+900)/10))
		if i%10 == 0 {
			t.Trunks = []Trunk{{Name: "pbx", Source: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32).String()}}
		}
		list[i] = t
	}
	return list
}

// fleet100k is built once for all benchmarks that ask for it.
var fleet100k = sync.OnceValue(func() *Snapshot {
	s, err := NewSnapshot(Head{Epoch: testEpoch, Rev: 1}, Globals{}, fleet(100_000))
	if err != nil {
		panic(err)
	}
	return s
})

func BenchmarkDecide100k(b *testing.B) {
	s := fleet100k()
	domains := make([]string, 4096)
	for i := range domains {
		domains[i] = fmt.Sprintf("tenant-%06d.example", i*23%100_000)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.Decide(Query{Method: "INVITE", Direction: Outbound, Tenant: s.ByDomain(domains[i%len(domains)]), Unit: "user3", Now: 1})
	}
}

// The peer that Decide's figure is a ratio to: a plain map of 100,000 domains, asked for the same ones.
func BenchmarkPlainMap100k(b *testing.B) {
	m := make(map[string]*Tenant, 100_000)
	for i := range 100_000 {
		m[fmt.Sprintf("tenant-%06d.example", i)] = &Tenant{Stage: StageLegacy}
	}
	domains := make([]string, 4096)
	for i := range domains {
		domains[i] = fmt.Sprintf("tenant-%06d.example", i*23%100_000)
	}
	served := 0
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if m[domains[i%len(domains)]].Stage == StageLegacy {
			served++
		}
	}
	if served == 0 {
		b.Fatal("nobody was found")
	}
}

func BenchmarkResolveAndDecide100k(b *testing.B) {
	s := fleet100k()
	hosts := make([]string, 4096)
	for i := range hosts {
		hosts[i] = fmt.Sprintf("tenant-%06d.example", i*23%100_000)
	}
	var tr Trace
	q := Question{Method: "INVITE", ToUser: "93035550199", FromUser: "user3", Source: netip.MustParseAddrPort("192.0.2.1:5060"), Transport: "udp"}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		q.ToHost = hosts[i%len(hosts)]
		q.FromHost = q.ToHost
		s.Decide(s.Resolve(&q, &tr))
	}
}

func BenchmarkByNumber100k(b *testing.B) {
	s := fleet100k()
	numbers := make([]string, 4096)
	for i := range numbers {
		numbers[i] = s.Tenant(fmt.Sprintf("tenant-%06d", i*23%100_000)).Tenant.Numbers[i%7]
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if s.ByNumber(numbers[i%len(numbers)]) == nil {
			b.Fatal("lost a number")
		}
	}
}

func BenchmarkFlip100k(b *testing.B) {
	s := fleet100k()
	core := change(s, "tenant-050000", func(t *Tenant) { t.Stage = StageCore })
	core.Epoch = s.Epoch()
	sealed, _, err := s.Next(core, time.UnixMilli(1))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Apply(sealed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewSnapshot100k(b *testing.B) {
	tenants := fleet(100_000)
	for b.Loop() {
		if _, err := NewSnapshot(Head{Epoch: testEpoch, Rev: 1}, Globals{}, tenants); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode100k(b *testing.B) {
	var buf bytes.Buffer
	if err := fleet100k().Encode(&buf); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(buf.Len()))
	for b.Loop() {
		if _, err := Decode(bytes.NewReader(buf.Bytes())); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseTenant(b *testing.B) {
	raw, err := fleet(1)[0].Canonical()
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseTenant(raw); err != nil {
			b.Fatal(err)
		}
	}
}
