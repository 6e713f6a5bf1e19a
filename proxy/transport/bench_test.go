package transport

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A datagram through the whole reader, handler and sender allocates nothing once the arenas stand.
func TestDatagramsAllocateNothing(t *testing.T) {
	for _, host := range loopbacks() {
		tr := start(t, []Spec{udpSpec(host)}, Handler{Message: echo}, Limits{})
		c := socket(t, host)
		c.SetDeadline(time.Time{})
		msg, buf := make([]byte, 600), make([]byte, 2048)
		msg[0] = 'x'
		exchange := func() {
			for range 8 {
				if _, err := c.WriteToUDPAddrPort(msg, tr.Addr(0)); err != nil {
					t.Fatal(err)
				}
			}
			for range 8 {
				if _, _, err := c.ReadFromUDPAddrPort(buf); err != nil {
					t.Fatal(err)
				}
			}
		}
		if n := testing.AllocsPerRun(500, exchange); n != 0 {
			t.Errorf("%s: %v allocations for 8 datagrams", host, n)
		}
	}
}

// Nor does a message on a connection that is read as fast as it is written, but for what the pools lose to the collector.
func TestStreamMessagesAllocateNothing(t *testing.T) {
	tr := start(t, []Spec{tcpSpec("127.0.0.1:0")}, Handler{Message: echo}, Limits{})
	c := dialTo(t, tr.Addr(0))
	msg, buf := []byte(sip("steady")), make([]byte, 2048)
	exchange := func() {
		if _, err := c.Write(msg); err != nil {
			t.Fatal(err)
		}
		for got := 0; got < len(msg); {
			n, err := c.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			got += n
		}
	}
	if n := testing.AllocsPerRun(500, exchange); n >= 1 && !raceEnabled {
		t.Errorf("%v allocations per message", n)
	}
}

const generatorEnv = "HOTCUT_TRANSPORT_GENERATOR" // the address to load: this process is then a generator

func init() {
	if to := os.Getenv(generatorEnv); to != "" {
		generate(netip.MustParseAddrPort(to))
		os.Exit(0)
	}
}

// generate keeps up to 512 datagrams of 500 bytes on their way to an echo, in batches so that it costs less than the echo does,
// until its standard input ends.
func generate(to netip.AddrPort) {
	s, _, err := bindUDP(netip.MustParseAddrPort("127.0.0.1:0"), false)
	if err != nil {
		panic(err)
	}
	go func() {
		os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}()
	msg := make([]byte, 500)
	msg[0] = 'x'
	out, in := newSendHeaders(), newRecvHeaders()
	for i := range sendBatch {
		out.set(i, msg, to, false)
	}
	flying := 0
	s.raw.Control(func(fd uintptr) {
		for {
			for flying+sendBatch <= 512 {
				n, _ := out.send(fd, 0, sendBatch)
				flying += n
			}
			n, errno := in.receive(fd)
			if errno != 0 {
				poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
				if ready, _ := unix.Poll(poll, 20); ready == 0 { // some were lost: start over
					flying = 0
				}
				continue
			}
			in.recycle(n)
			flying = max(0, flying-n)
		}
	})
}

// measure loads an echo from another process and returns how many datagrams it answered per second of its own CPU time.
func measure(b *testing.B, to netip.AddrPort, answered func() uint64, want uint64) float64 {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	gen := exec.Command(self)
	gen.Env = append(os.Environ(), generatorEnv+"="+to.String(), "GOMAXPROCS=1")
	stdin, err := gen.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := gen.Start(); err != nil {
		b.Fatal(err)
	}
	defer gen.Wait()
	defer stdin.Close()
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	reach := func(n uint64) {
		for answered() < n {
			<-poll.C
		}
	}
	reach(1000)
	n0, cpu0 := answered(), cpuTime(b)
	reach(n0 + want)
	return float64(answered()-n0) / (cpuTime(b) - cpu0).Seconds()
}

func cpuTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkEcho compares an echo on this transport with the loop that the net package offers, in the same run: datagrams per
// second of CPU time, kernel included, and the ratio.
func BenchmarkEcho(b *testing.B) {
	var plain, batched float64
	const want = 200_000
	for b.Loop() {
		plain += plainEcho(b, want)
		tr := start(b, []Spec{udpSpec("127.0.0.1:0")}, Handler{Message: echo}, Limits{})
		batched += measure(b, tr.Addr(0), tr.Stats().DatagramsOut.Load, want)
	}
	b.ReportMetric(plain/float64(b.N), "plain-dgram/cpu-s")
	b.ReportMetric(batched/float64(b.N), "batched-dgram/cpu-s")
	b.ReportMetric(batched/plain, "ratio")
	b.ReportMetric(0, "ns/op")
}

func plainEcho(b *testing.B, want uint64) float64 {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	conn.SetReadBuffer(4 << 20)
	var n atomic.Uint64
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, 65536)
		for {
			k, from, err := conn.ReadFromUDPAddrPort(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if _, err := conn.WriteToUDPAddrPort(buf[:k], from); err == nil {
				n.Add(1)
			}
		}
	})
	rate := measure(b, localAddr(conn.LocalAddr()), n.Load, want)
	conn.Close()
	wg.Wait()
	return rate
}
