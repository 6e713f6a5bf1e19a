package location

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"
)

var noon = time.Unix(1_900_000_000, 0)

// phone is a binding as long as those of real phones, registered at noon for an hour.
func phone(i int) *Binding {
	aor := fmt.Sprintf("phone%d@tenant%d.example", i, i/50)
	uri := fmt.Sprintf("sip:phone%d@192.0.2.%d:%d;transport=udp;line=%08x", i, i%250, 1024+i%60000, i)
	b := &Binding{
		Tenant: fmt.Sprintf("tenant%d", i/50), AoR: aor, Unit: aor,
		To: "sip:" + aor, Contact: "<" + uri + `>;+sip.instance="<urn:uuid:00000000-0000-1000-8000-000413000000>";reg-id=1`, URI: uri,
		CallID: fmt.Sprintf("%032x", i), CSeq: 7, Instance: `"<urn:uuid:00000000-0000-1000-8000-000413000000>"`, RegID: "1",
		Agent: "ExamplePhone-T46/10.1.2.3", Asked: 3600, Told: noon.Unix() + 3600,
		Flow: Flow{Edge: "edge-1", Listener: "out-udp", Proto: "udp", Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i % 250)}), 5060)},
		Rev:  12, Stamp: noon.UnixMicro(),
	}
	b.Holds[0] = Hold{Until: noon.Unix() + 3600, Lasts: 3600, Target: "legacy-1", Route: "<sip:legacy-1.example;lr>", Stamp: noon.UnixMicro()}
	b.Holds[1] = Hold{Until: noon.Unix() + 3600, Lasts: 3600, Own: true, CSeq: 1_900_000_000, Target: "core-1", Stamp: noon.UnixMicro()}
	binary.BigEndian.PutUint64(b.ID[:], uint64(i))
	b.ID[9] = 1
	return b
}

// anyBinding has few values in every field, so that two of them often agree in some.
func anyBinding(r *rand.Rand) *Binding {
	s := func() string { return [...]string{"", "a", "b", "\xff\"\n<é"}[r.IntN(4)] }
	n := func() int64 { return r.Int64N(3) }
	b := &Binding{
		ID: ID{9}, Tenant: s(), AoR: "a" + s(), Unit: s(), To: s(), Contact: s(), URI: s(), CallID: s(), CSeq: uint32(n()), Instance: s(),
		RegID: s(), Agent: s(), Asked: n(), Told: n(), Rev: uint64(n()), Stamp: n(),
		Flow: Flow{Edge: s(), Listener: s(), Proto: s(), Conn: uint64(n()), Addr: [...]netip.AddrPort{
			{}, netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("[::ffff:127.0.0.1]:1"), netip.MustParseAddrPort("[fe80::1%lo]:2"),
		}[r.IntN(4)]},
	}
	for i := range b.Holds {
		b.Holds[i] = Hold{Until: n(), Lasts: n(), Own: n() == 0, CSeq: uint32(n()), Target: s(), Route: s(), Stamp: n()}
	}
	return b
}
