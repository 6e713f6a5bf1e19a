//go:build bench

package bench

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A prober is a caller and a callee in one: it sends INVITEs through a proxy under load and sees when the kernel had them
// for the callee. SIPp's own times have the resolution of its loop, milliseconds.
type prober struct {
	caller, callee *net.UDPConn
	addr           string // the callee's
	every          time.Duration

	mu   sync.Mutex
	sent map[string]time.Time
	took []time.Duration
	n    int
}

func newProber(t *testing.T) *prober {
	p := &prober{addr: freeAddr(t), every: 50 * time.Millisecond, sent: map[string]time.Time{}}
	p.callee, p.caller = bind(p.addr), bind(freeAddr(t))
	t.Cleanup(func() { p.callee.Close(); p.caller.Close() })
	raw, err := p.callee.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1) })
	if err != nil {
		t.Fatal(err)
	}
	go p.answer()
	go p.acknowledge()
	return p
}

// run probes through the proxy at addr until stop is closed, and returns the times on the way.
func (p *prober) run(t *testing.T, addr string, stop <-chan struct{}) []time.Duration {
	to := netip.MustParseAddrPort(addr)
	p.mu.Lock()
	p.took = nil
	clear(p.sent)
	p.mu.Unlock()
	tick := time.NewTicker(p.every)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			time.Sleep(100 * time.Millisecond) // the last one's way
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.took
		case <-tick.C:
		}
		p.n++
		id := fmt.Sprintf("probe-%d@%s", p.n, home)
		msg := fmt.Sprintf("INVITE sip:probe@probe.example SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKp%d\r\nFrom: <sip:caller@probe.example>;tag=p%d\r\n"+
			"To: <sip:probe@probe.example>\r\nCall-ID: %s\r\nCSeq: 1 INVITE\r\nContact: <sip:caller@%s>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
			p.caller.LocalAddr(), p.n, p.n, id, p.caller.LocalAddr())
		p.mu.Lock()
		p.sent[id] = time.Now()
		p.mu.Unlock()
		if _, err := p.caller.WriteToUDPAddrPort([]byte(msg), to); err != nil {
			t.Error(err)
			return nil
		}
	}
}

// answer notes when an INVITE came, and refuses it.
func (p *prober) answer() {
	buf, oob := make([]byte, 64<<10), make([]byte, 256)
	for {
		n, k, _, from, err := p.callee.ReadMsgUDPAddrPort(buf, oob)
		if err != nil {
			return
		}
		lines := strings.Split(string(buf[:n]), "\r\n")
		switch {
		case strings.HasPrefix(lines[0], "OPTIONS "): // a proxy asks whether we are there
			p.callee.WriteToUDPAddrPort(reply(lines, "200 OK"), from)
		case strings.HasPrefix(lines[0], "INVITE "):
			at := arrived(oob[:k])
			id := header(lines, "Call-ID")
			p.mu.Lock()
			if sent, ok := p.sent[id]; ok && !at.IsZero() {
				p.took = append(p.took, at.Sub(sent))
				delete(p.sent, id)
			}
			p.mu.Unlock()
			p.callee.WriteToUDPAddrPort(reply(lines, "486 Busy Here"), from)
		}
	}
}

// acknowledge ends the caller's transactions.
func (p *prober) acknowledge() {
	buf := make([]byte, 64<<10)
	for {
		n, from, err := p.caller.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		lines := strings.Split(string(buf[:n]), "\r\n")
		if !strings.HasPrefix(lines[0], "SIP/2.0 4") {
			continue
		}
		fmt.Fprintf(&to{p.caller, from}, "ACK sip:probe@probe.example SIP/2.0\r\nVia: %s\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: 1 ACK\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
			header(lines, "Via"), header(lines, "From"), header(lines, "To"), header(lines, "Call-ID"))
	}
}

type to struct {
	conn *net.UDPConn
	addr netip.AddrPort
}

func (w *to) Write(b []byte) (int, error) { return w.conn.WriteToUDPAddrPort(b, w.addr) }

func header(lines []string, name string) string {
	for _, line := range lines {
		if n, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(n, name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func reply(lines []string, status string) []byte {
	var b strings.Builder
	b.WriteString("SIP/2.0 " + status + "\r\n")
	for _, line := range lines[1:] {
		switch name, _, _ := strings.Cut(line, ":"); strings.ToLower(name) {
		case "via", "from", "call-id", "cseq", "record-route":
			b.WriteString(line + "\r\n")
		case "to":
			b.WriteString(line + ";tag=callee\r\n")
		}
	}
	return []byte(b.String() + "Content-Length: 0\r\n\r\n")
}

// arrived is the kernel's receive time.
func arrived(oob []byte) time.Time {
	list, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return time.Time{}
	}
	for _, c := range list {
		if c.Header.Level == unix.SOL_SOCKET && c.Header.Type == unix.SCM_TIMESTAMPNS && len(c.Data) >= int(unsafe.Sizeof(unix.Timespec{})) {
			return time.Unix((*unix.Timespec)(unsafe.Pointer(&c.Data[0])).Unix())
		}
	}
	return time.Time{}
}
