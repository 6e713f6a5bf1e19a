//go:build interop

package interop

import (
	"bufio"
	enc "encoding/binary" // binary is the program under test
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A capture is a file of datagrams with the time at which the kernel received them, written by who received them: that needs
// no privilege, which capturing on an interface does.
type capture struct {
	file string
	mu   sync.Mutex // guards w
	w    *bufio.Writer
	f    *os.File
}

func newCapture(t *testing.T) *capture {
	t.Helper()
	c := &capture{file: filepath.Join(t.TempDir(), "media.pcap")}
	var err error
	if c.f, err = os.Create(c.file); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.f.Close() })
	c.w = bufio.NewWriter(c.f)
	var h [24]byte
	enc.LittleEndian.PutUint32(h[0:], 0xa1b23c4d) // times in nanoseconds
	enc.LittleEndian.PutUint16(h[4:], 2)          // version 2.4
	enc.LittleEndian.PutUint16(h[6:], 4)
	enc.LittleEndian.PutUint32(h[16:], 65535)
	enc.LittleEndian.PutUint32(h[20:], 228) // LINKTYPE_IPV4
	c.w.Write(h[:])
	return c
}

// add writes a datagram with the headers of IPv4 and UDP; their checksums are left out, which says that nobody made them.
func (c *capture) add(at time.Time, from, to netip.AddrPort, payload []byte) {
	size := 28 + len(payload)
	b := make([]byte, 16+28, 16+size)
	enc.LittleEndian.PutUint32(b[0:], uint32(at.Unix()))
	enc.LittleEndian.PutUint32(b[4:], uint32(at.Nanosecond()))
	enc.LittleEndian.PutUint32(b[8:], uint32(size))
	enc.LittleEndian.PutUint32(b[12:], uint32(size))
	ip := b[16:]
	ip[0], ip[8], ip[9] = 0x45, 64, 17
	enc.BigEndian.PutUint16(ip[2:], uint16(size))
	s, d := from.Addr().As4(), to.Addr().As4()
	copy(ip[12:], s[:])
	copy(ip[16:], d[:])
	enc.BigEndian.PutUint16(ip[20:], from.Port())
	enc.BigEndian.PutUint16(ip[22:], to.Port())
	enc.BigEndian.PutUint16(ip[24:], uint16(size-20))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.w.Write(append(b, payload...))
}

// rtpStream is what tshark says of one.
type rtpStream struct {
	packets, lost        int
	lossPercent          float64
	minJ, meanJ, maxJ    float64 // jitter, ms
	minGap, mean, maxGap float64 // between packets, ms
}

// A line of tshark -z rtp,streams: times, addresses, SSRC, codec, packets, lost, deltas, jitter.
var rtpStreamLine = regexp.MustCompile(`0x([0-9A-F]{8})\s+\S+\s+(\d+)\s+(-?\d+)\s+\((-?[\d.]+)%\)\s+([\d.]+)\s+([\d.]+)\s+([\d.]+)\s+([\d.]+)\s+([\d.]+)\s+([\d.]+)`)

// judge lets tshark read the capture; the streams are by SSRC.
func (c *capture) judge(t *testing.T) map[uint32]rtpStream {
	t.Helper()
	c.mu.Lock()
	if err := c.w.Flush(); err != nil {
		t.Fatal(err)
	}
	c.mu.Unlock()
	bin, err := exec.LookPath("tshark")
	if err != nil {
		t.Fatal("tshark is not installed: apt-get install tshark")
	}
	out, err := exec.Command(bin, "-r", c.file, "-q", "-n", "--enable-heuristic", "rtp_udp", "-z", "rtp,streams").Output()
	if err != nil {
		t.Fatalf("tshark: %v\n%s", err, out)
	}
	streams := map[uint32]rtpStream{}
	for line := range strings.Lines(string(out)) {
		m := rtpStreamLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		var f [10]float64
		for i, s := range m[2:] {
			if f[i], err = strconv.ParseFloat(s, 64); err != nil {
				t.Fatalf("tshark says %q", line)
			}
		}
		ssrc, _ := strconv.ParseUint(m[1], 16, 32) // eight digits
		streams[uint32(ssrc)] = rtpStream{int(f[0]), int(f[1]), f[2], f[6], f[7], f[8], f[3], f[4], f[5]}
	}
	if len(streams) == 0 {
		t.Fatalf("tshark sees no stream:\n%s", out)
	}
	return streams
}

// stamped is a socket that tells when the kernel received what it reads.
type stamped struct{ *net.UDPConn }

func newStamped(t *testing.T, at string) stamped {
	t.Helper()
	c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(at)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err2 := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1) })
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	return stamped{c}
}

// read is the next datagram; an error means that the socket is closed.
func (s stamped) read(t *testing.T, b []byte) (n int, from netip.AddrPort, at time.Time, err error) {
	oob := make([]byte, 128)
	n, size, _, from, err := s.ReadMsgUDPAddrPort(b, oob)
	if err != nil {
		return 0, from, at, err
	}
	list, err := unix.ParseSocketControlMessage(oob[:size])
	if err != nil {
		t.Errorf("control message: %v", err)
	}
	for _, m := range list {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= 16 {
			at = time.Unix(int64(enc.NativeEndian.Uint64(m.Data)), int64(enc.NativeEndian.Uint64(m.Data[8:])))
		}
	}
	if at.IsZero() {
		t.Error("a datagram without the kernel's time")
	}
	return n, from, at, nil
}
