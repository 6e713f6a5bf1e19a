//go:build interop

package interop

import (
	"bytes"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// nat is a router between one phone and its edge: the edge sees another port than the phone's, and the test may hold a
// datagram back, or shorten the registrations that the phone is granted, so that it refreshes while we watch. The phone
// knows the edge by the router's address; in what passes the one stands for the other.
type nat struct {
	t           *testing.T
	addr        string // what the phone takes for its edge
	edgeAddr    string
	front, back net.PacketConn
	edge        net.Addr

	mu      sync.Mutex // guards what follows
	phone   net.Addr
	hold    func(*message) bool // of datagrams from the phone: true keeps this one, and is asked no more
	held    chan []byte
	granted int // seconds; 0: as the edge says
	bound   int // 200s to REGISTER that went to the phone
}

func newNAT(t *testing.T, edge string) *nat {
	t.Helper()
	to, err := net.ResolveUDPAddr("udp", edge)
	if err != nil {
		t.Fatal(err)
	}
	n := &nat{t: t, edge: to, held: make(chan []byte, 1)}
	for _, c := range []*net.PacketConn{&n.front, &n.back} {
		if *c, err = net.ListenPacket("udp", freeAddr(t)); err != nil {
			t.Fatal(err)
		}
	}
	n.addr, n.edgeAddr = n.front.LocalAddr().String(), edge
	var ended sync.WaitGroup
	ended.Go(n.outward)
	ended.Go(n.inward)
	t.Cleanup(func() {
		n.front.Close()
		n.back.Close()
		ended.Wait()
	})
	return n
}

// outward carries what the phone says.
func (n *nat) outward() {
	buf := make([]byte, 65536)
	for {
		size, from, err := n.front.ReadFrom(buf)
		if err != nil {
			return
		}
		n.mu.Lock()
		n.phone = from
		keep := n.hold != nil && n.hold(readMessage(string(buf[:size]), from.String()))
		if keep {
			n.hold = nil
		}
		n.mu.Unlock()
		if keep {
			n.held <- bytes.Clone(buf[:size])
			continue
		}
		n.release(buf[:size])
	}
}

var grantedExpires = regexp.MustCompile(`(?i)(;expires=|\nExpires: *)(\d+)`)

// inward carries what the edge says.
func (n *nat) inward() {
	buf := make([]byte, 65536)
	for {
		size, from, err := n.back.ReadFrom(buf)
		if err != nil {
			return
		}
		m := readMessage(string(buf[:size]), from.String())
		out := buf[:size]
		n.mu.Lock()
		ok := m.status() == 200 && strings.HasSuffix(m.get("CSeq"), " REGISTER")
		if ok && n.granted > 0 {
			out = grantedExpires.ReplaceAll(out, []byte("${1}"+strconv.Itoa(n.granted)))
		}
		if ok {
			n.bound++
		}
		phone := n.phone
		n.mu.Unlock()
		if phone != nil {
			n.front.WriteTo(bytes.ReplaceAll(out, []byte(n.edgeAddr), []byte(n.addr)), phone)
		}
	}
}

// holdNext keeps the next datagram of the phone that fits. The test gets it from held, and lets it go with release.
func (n *nat) holdNext(fits func(*message) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hold = fits
}

func (n *nat) release(datagram []byte) {
	n.back.WriteTo(bytes.ReplaceAll(datagram, []byte(n.addr), []byte(n.edgeAddr)), n.edge)
}

// registrations counts the 200s to REGISTER that went to the phone.
func (n *nat) registrations() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.bound
}
