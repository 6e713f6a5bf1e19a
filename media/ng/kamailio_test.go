//go:build interop

package ng

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "keep the conversation with Kamailio in testdata")

// A Kamailio with its rtpengine module drives our server: a call of SIPp's that is answered and ended, and one that is refused. The
// first answer to the first offer is lost on the way, so that Kamailio repeats the command.
func TestKamailioDrivesOurServer(t *testing.T) {
	relay := new(fixedRelay)
	s, err := NewServer(ServerConfig{Listen: netip.MustParseAddrPort("127.0.0.1:0")}, relay.handler())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	wire := newTap(t, s.Addr())
	callee := startSIPp(t, "uas.xml", "-mp", "40200", "-default_behaviors", "all,-abortunexp")
	refuser := startSIPp(t, "uas488.xml")
	proxy := startKamailio(t, "CALLEE=\"sip:"+callee.addr+"\"", "REFUSER=\"sip:"+refuser.addr+"\"", "RELAY=\"udp:"+wire.addr().String()+"\"")

	caller := startSIPp(t, "uac.xml", proxy.addr, "-key", "domain", "acme.example", "-s", "bob", "-mp", "40100", "-m", "1", "-d", "50")
	if err := <-caller.done; err != nil {
		t.Fatalf("the call: %v\n%s", err, caller.text())
	}
	refused(t, proxy.addr)
	eventually(t, func() bool { return wire.count("6:delete") == 2 })
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}

	checkKamailio(t, relay.asked)
	if s.counters.repeated.Load() == 0 || s.counters.refused.Load() != 0 {
		t.Errorf("%d repeated, %d refused", s.counters.repeated.Load(), s.counters.refused.Load())
	}
	// Each end was told of the relay, and of nobody else.
	if text := callee.text(); !strings.Contains(text, "m=audio 30000 RTP/AVP 0 8 101") || !strings.Contains(text, "o=caller 1 1 IN IP4 127.0.0.1") {
		t.Errorf("the callee heard\n%s", text)
	}
	if text := caller.text(); !strings.Contains(text, "m=audio 30002 RTP/AVP 0") {
		t.Errorf("the caller heard\n%s", text)
	}
	// Kamailio understood our report.
	log := proxy.text()
	if !strings.Contains(log, "media mos 4.3 roundtrip 1200") || !strings.Contains(log, "media statistics RTP: 1720 bytes, 10 packets, 1 errors; RTCP: 100 bytes, 2 packets, 0 errors") {
		t.Errorf("Kamailio said\n%s", log)
	}
	if *update {
		if err := os.WriteFile("testdata/kamailio.txt", []byte(strings.Join(wire.stop(), "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// refused calls the user "refused" and waits for the 488.
func refused(t *testing.T, proxy string) {
	t.Helper()
	conn, err := net.Dial("udp", proxy)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	me := conn.LocalAddr().String()
	request := func(method, tail string) string {
		return fmt.Sprintf("%s sip:refused@acme.example SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKrefused\r\nFrom: <sip:carol@acme.example>;tag=from\r\n"+
			"To: <sip:refused@acme.example>%s\r\nCall-ID: refused@%s\r\nCSeq: 1 %s\r\nMax-Forwards: 70\r\nContact: <sip:carol@%s>\r\n", method, me, tail, me, method, me)
	}
	text := body(40300)
	fmt.Fprintf(conn, "%sContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", request("INVITE", ""), len(text), text)
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	for buf := make([]byte, 1<<16); ; {
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.HasPrefix(buf[:n], []byte("SIP/2.0 1")) {
			continue
		}
		if !bytes.HasPrefix(buf[:n], []byte("SIP/2.0 488 ")) {
			t.Fatalf("not refused:\n%s", buf[:n])
		}
		tag := regexp.MustCompile(`(?m)^To:[^;]*(;tag=\S+)`).FindSubmatch(buf[:n])
		fmt.Fprintf(conn, "%sContent-Length: 0\r\n\r\n", request("ACK", string(tag[1])))
		return
	}
}

// tap stands between Kamailio and our server. It keeps what passes, and loses the first answer to the first offer.
type tap struct {
	t      *testing.T
	conn   *net.UDPConn
	server netip.AddrPort
	done   chan struct{}

	mu    sync.Mutex // guards lines
	lines []string
}

func newTap(t *testing.T, server netip.AddrPort) *tap {
	w := &tap{t: t, conn: listen(t, 0), server: server, done: make(chan struct{})}
	go w.run()
	t.Cleanup(func() { w.stop() })
	return w
}

func (w *tap) addr() netip.AddrPort { return w.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

// run passes one command and its answer at a time.
func (w *tap) run() {
	defer close(w.done)
	type line struct {
		n    int
		conn *net.UDPConn
	}
	lines, lost := make(map[netip.AddrPort]line), false
	defer func() {
		for _, l := range lines {
			l.conn.Close()
		}
	}()
	buf := make([]byte, MaxMessage)
	for {
		n, from, err := w.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		l, known := lines[from]
		if !known {
			conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(w.server))
			if err != nil {
				w.t.Error(err)
				return
			}
			l = line{len(lines) + 1, conn}
			lines[from] = l
		}
		w.keep(">", l.n, buf[:n])
		offer := bytes.Contains(buf[:n], []byte("7:command5:offer"))
		l.conn.Write(buf[:n])
		l.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if n, err = l.conn.Read(buf); err != nil {
			w.t.Errorf("our server does not answer: %v", err)
			return
		}
		if offer && !lost {
			lost = true
			w.keep("x", l.n, buf[:n])
			continue
		}
		w.keep("<", l.n, buf[:n])
		w.conn.WriteToUDPAddrPort(buf[:n], from)
	}
}

func (w *tap) keep(direction string, socket int, msg []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, direction+" "+strconv.Itoa(socket)+" "+strconv.Quote(string(msg)))
}

func (w *tap) count(what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Count(strings.Join(w.lines, "\n"), what)
}

func (w *tap) stop() []string {
	w.conn.Close()
	<-w.done
	return w.lines
}

// peerProcess is a SIPp or a Kamailio, with all that it says in a file.
type peerProcess struct {
	addr, log string
	done      chan error
}

func (p *peerProcess) text() string {
	b, _ := os.ReadFile(p.log)
	return string(b)
}

// start runs a program in a process group of its own, which ends with the test.
func start(t *testing.T, addr, log string, args ...string) *peerProcess {
	t.Helper()
	bin, err := exec.LookPath(args[0])
	if err != nil {
		t.Fatalf("%s is not installed: see .ci/peers", args[0])
	}
	dir := t.TempDir()
	p := &peerProcess{addr: addr, log: filepath.Join(dir, log), done: make(chan error, 1)}
	out, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out.Close()
	exited := make(chan struct{})
	go func() { p.done <- cmd.Wait(); close(exited) }()
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-exited
	})
	return p
}

func freeAddr(t *testing.T) (addr, port string) {
	conn := listen(t, 0)
	defer conn.Close()
	_, port, _ = net.SplitHostPort(conn.LocalAddr().String())
	return conn.LocalAddr().String(), port
}

// startSIPp runs a scenario of testdata/sipp; its messages are in the log.
func startSIPp(t *testing.T, scenario string, args ...string) *peerProcess {
	t.Helper()
	file, err := filepath.Abs("../../testdata/sipp/" + scenario)
	if err != nil {
		t.Fatal(err)
	}
	addr, port := freeAddr(t)
	return start(t, addr, "messages", append([]string{"sipp", "-sf", file, "-i", "127.0.0.1", "-p", port, "-mi", "127.0.0.1", "-nostdin",
		"-trace_msg", "-message_file", "messages"}, args...)...)
}

// startKamailio runs testdata/kamailio/rtpengine.cfg and returns when it answers.
func startKamailio(t *testing.T, defines ...string) *peerProcess {
	t.Helper()
	file, err := filepath.Abs("../../testdata/kamailio/rtpengine.cfg")
	if err != nil {
		t.Fatal(err)
	}
	addr, _ := freeAddr(t)
	dir := t.TempDir()
	args := []string{"kamailio", "-DD", "-E", "-f", file, "-w", dir, "-Y", dir, "-m", "32", "-M", "4", "-l", "udp:" + addr}
	for _, d := range defines {
		args = append(args, "-A", d)
	}
	k := start(t, addr, "out", args...)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("Kamailio said\n%s", k.text())
		}
	})
	conn, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	me := conn.LocalAddr()
	for try := range 100 {
		fmt.Fprintf(conn, "OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKup%d\r\nFrom: <sip:test@%s>;tag=up\r\nTo: <sip:%s>\r\n"+
			"Call-ID: up-%d\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n", addr, me, try, me, addr, try)
		conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		if _, err := conn.Read(make([]byte, 2048)); err == nil {
			return k
		}
		select {
		case err := <-k.done:
			t.Fatalf("Kamailio ended: %v\n%s", err, k.text())
		case <-time.After(50 * time.Millisecond): // a refused port answers at once
		}
	}
	t.Fatal("Kamailio does not answer")
	return nil
}
