//go:build interop

package ng

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"
)

// end is a phone's two sockets.
type end struct {
	t          *testing.T
	media, ctl *net.UDPConn
	port       int
	ssrc       uint32
	seq        uint16
	lsr        uint32 // middle of the NTP time in the last report that came (RFC 3550 section 6.4.1)
	arrived    time.Time
}

func newEnd(t *testing.T, ssrc uint32) *end {
	for {
		media := listen(t, 0)
		port := media.LocalAddr().(*net.UDPAddr).Port
		if port%2 == 0 {
			if ctl, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port + 1}); err == nil {
				t.Cleanup(func() { media.Close(); ctl.Close() })
				return &end{t: t, media: media, ctl: ctl, port: port, ssrc: ssrc}
			}
		}
		media.Close()
	}
}

// rtp sends a packet, and returns when it has come out at the other end.
func (e *end) rtp(to netip.AddrPort, other *end) {
	e.t.Helper()
	p := binary.BigEndian.AppendUint16([]byte{0x80, 0}, e.seq)
	p = binary.BigEndian.AppendUint32(p, uint32(e.seq)*160)
	p = binary.BigEndian.AppendUint32(p, e.ssrc)
	e.seq++
	p = append(p, bytes.Repeat([]byte{0xff}, 160)...)
	if got := e.pass(e.media, to, other.media, p); !bytes.Equal(got, p) {
		e.t.Fatalf("sent %x, came %x", p, got)
	}
}

// report sends a sender report with a block about the other end, and returns when it has come out there.
func (e *end) report(to netip.AddrPort, other *end) {
	e.t.Helper()
	now := time.Now()
	p := binary.BigEndian.AppendUint16([]byte{0x81, 200}, 12)
	p = binary.BigEndian.AppendUint32(p, e.ssrc)
	seconds := uint32(now.Unix() + 2208988800)
	fraction := uint32(uint64(now.Nanosecond()) << 32 / 1e9)
	dlsr := uint32(0)
	if e.lsr != 0 {
		dlsr = 1 + uint32(now.Sub(e.arrived)*65536/time.Second)
	}
	for _, v := range []uint32{seconds, fraction, uint32(e.seq) * 160, uint32(e.seq), uint32(e.seq) * 160,
		other.ssrc, 0, uint32(other.seq), 24, e.lsr, dlsr} {
		p = binary.BigEndian.AppendUint32(p, v)
	}
	e.pass(e.ctl, to, other.ctl, p)
	other.lsr, other.arrived = seconds<<16|fraction>>16, time.Now()
}

func (e *end) pass(from *net.UDPConn, to netip.AddrPort, at *net.UDPConn, p []byte) []byte {
	e.t.Helper()
	if _, err := from.WriteToUDPAddrPort(p, to); err != nil {
		e.t.Fatal(err)
	}
	at.SetReadDeadline(time.Now().Add(10 * time.Second))
	buf := make([]byte, 2048)
	n, err := at.Read(buf)
	if err != nil {
		e.t.Fatal(err)
	}
	return buf[:n]
}
