package media

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	costOutside = 19990 // where the generator's two sides are
	costInside  = 19992
	costTime    = 4 * time.Second
	costWarmUp  = 500 * time.Millisecond
)

// costChild is the relay whose CPU is measured: n calls between two sockets of the generator. It prints the ports, and for
// each line that it reads its CPU time in ns, the packets that it relayed and those that the kernel dropped.
func costChild(calls string) {
	n, err := strconv.Atoi(calls)
	if err != nil {
		panic(err)
	}
	e, err := New(testOptions())
	if err != nil {
		panic(err)
	}
	go e.Run(context.Background())
	for i := range n {
		s, err := e.Open(SessionKey{CallID: strconv.Itoa(i)}, Families{})
		if err != nil {
			panic(err)
		}
		types := []Payload{{Type: 0}, {101, "telephone-event", 8000}}
		if err := s.SetRemote(Outside, Remote{RTP: netip.AddrPortFrom(loopback, costOutside), Payloads: types}); err != nil {
			panic(err)
		}
		if err := s.SetRemote(Inside, Remote{RTP: netip.AddrPortFrom(loopback, costInside), Payloads: types}); err != nil {
			panic(err)
		}
		fmt.Println(local(s, Outside), local(s, Inside))
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var r unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
			panic(err)
		}
		c := e.Counters()
		fmt.Println(r.Utime.Nano()+r.Stime.Nano(), c.Packets, c.Kernel)
	}
}

// BenchmarkRelay is what the engine costs as a whole: n two-way calls of 50 packets a second each way over loopback, the CPU
// time of the relaying process alone, and the delay that it adds (with up to 0.2 ms of the generator's own). One round
// of 4 s is one measurement, whatever -benchtime says; compare with other relays in the same run only. "direct" is the
// generator without a relay: what of the delay is its own.
func BenchmarkRelay(b *testing.B) {
	b.Run("direct=800", func(b *testing.B) {
		for range b.N {
			g := newGenerator(b)
			for i := range 2 * 800 {
				g.flows = append(g.flows, &flow{to: netip.AddrPortFrom(loopback, costOutside+uint16(i%2)*2), fd: g.fds[i%2]})
			}
			g.run(costTime)
			g.report(b, 0)
			g.close()
		}
	})
	for _, calls := range []int{100, 400, 800} {
		b.Run(fmt.Sprintf("calls=%d", calls), func(b *testing.B) {
			for range b.N {
				measureRelay(b, calls)
			}
		})
	}
}

func measureRelay(b *testing.B, calls int) {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "HOTCUT_MEDIA_COST="+strconv.Itoa(calls))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
	}()
	out := bufio.NewScanner(stdout)
	g := newGenerator(b)
	for range calls {
		var outside, inside string
		if !out.Scan() {
			b.Fatal("the relay has ended")
		}
		if _, err := fmt.Sscan(out.Text(), &outside, &inside); err != nil {
			b.Fatal(err)
		}
		g.flows = append(g.flows, &flow{to: ap(outside), fd: g.fds[0]}, &flow{to: ap(inside), fd: g.fds[1]})
	}
	ask := func() (cpu, packets, kernel float64) {
		fmt.Fprintln(in)
		if !out.Scan() {
			b.Fatal("the relay has ended")
		}
		if _, err := fmt.Sscan(out.Text(), &cpu, &packets, &kernel); err != nil {
			b.Fatal(err)
		}
		return cpu, packets, kernel
	}

	g.run(costWarmUp)
	g.drain()
	sent, heard := g.sent, g.heard
	g.delays = g.delays[:0]
	cpu0, packets0, _ := ask()
	g.run(costTime)
	cpu1, packets1, kernel := ask()
	g.drain()
	g.sent, g.heard = g.sent-sent, g.heard-heard
	g.report(b, (cpu1-cpu0)/1000/(packets1-packets0))
	b.ReportMetric(kernel, "kernel-drops")
	g.close()
}

// report prints one measurement.
func (g *generator) report(b *testing.B, cost float64) {
	slices.Sort(g.delays)
	at := func(q float64) float64 { return ms(g.delays[int(q*float64(len(g.delays)-1))]) }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(cost, "µs-CPU/packet")
	b.ReportMetric(100*float64(g.sent-g.heard)/float64(g.sent), "%lost")
	b.ReportMetric(at(.5), "ms-p50")
	b.ReportMetric(at(.99), "ms-p99")
	b.ReportMetric(at(.999), "ms-p99.9")
}

// flow is one direction of a call.
type flow struct {
	to  netip.AddrPort
	fd  int
	seq uint16
}

// generator sends the packets of all flows evenly spread over each 20 ms, and looks every 0.2 ms for what came through.
// It never blocks in a receive: waking it would be charged to the relay.
type generator struct {
	fds         [2]int
	flows       []*flow
	next        int
	sent, heard int
	start       time.Time
	delays      []time.Duration
	packet, buf []byte
	name        unix.RawSockaddrInet6
}

func newGenerator(b *testing.B) *generator {
	g := &generator{start: time.Now(), packet: speech(0, 0, 1), buf: make([]byte, 2048), delays: make([]time.Duration, 0, 1<<20)}
	for i, port := range []uint16{costOutside, costInside} {
		fd, err := openSocket(netip.AddrPortFrom(loopback, port), 0)
		if err != nil {
			b.Fatal(err)
		}
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<20); err != nil {
			b.Fatal(err)
		}
		g.fds[i] = fd
	}
	return g
}

func (g *generator) run(d time.Duration) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	rand.Shuffle(len(g.flows), func(i, j int) { g.flows[i], g.flows[j] = g.flows[j], g.flows[i] })
	begin, done := time.Now(), 0
	for {
		now := time.Since(begin)
		if now > d {
			return
		}
		for due := int(now.Seconds() * 50 * float64(len(g.flows))); done < due; done++ {
			g.send()
		}
		g.receive()
		unix.Nanosleep(&unix.Timespec{Nsec: 200_000}, nil)
	}
}

func (g *generator) send() {
	f := g.flows[g.next%len(g.flows)]
	g.next++
	f.seq++
	binary.BigEndian.PutUint16(g.packet[2:], f.seq)
	binary.BigEndian.PutUint32(g.packet[4:], uint32(f.seq)*160)
	binary.BigEndian.PutUint64(g.packet[12:], uint64(time.Since(g.start)))
	if send(f.fd, g.packet, f.to, &g.name) == 0 {
		g.sent++
	}
}

func (g *generator) receive() {
	for _, fd := range g.fds {
		for {
			n, _, errno := receive(fd, g.buf, &g.name)
			if errno != 0 || n < 20 {
				break
			}
			g.heard++
			g.delays = append(g.delays, time.Since(g.start)-time.Duration(binary.BigEndian.Uint64(g.buf[12:])))
		}
	}
}

func (g *generator) close() {
	for _, fd := range g.fds {
		unix.Close(fd)
	}
}

// drain takes in what is on its way.
func (g *generator) drain() {
	for end := time.Now().Add(30 * time.Millisecond); time.Now().Before(end); {
		g.receive()
		unix.Nanosleep(&unix.Timespec{Nsec: 1_000_000}, nil)
	}
}
