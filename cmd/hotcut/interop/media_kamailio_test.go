//go:build interop

package interop

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// mediaNode is a `hotcut media` that can be killed and started again with its state.
type mediaNode struct {
	t       *testing.T
	dir     string
	ng      string
	metrics string
	cmd     *exec.Cmd
	done    chan struct{}
}

// sideAddr is another address of this process's own /24.
func sideAddr(last int) string { return strings.TrimSuffix(home, ".1") + "." + strconv.Itoa(last) }

func startMedia(t *testing.T) *mediaNode {
	m := &mediaNode{t: t, dir: t.TempDir(), ng: freeAddr(t), metrics: freeAddr(t)}
	t.Cleanup(func() {
		m.cmd.Process.Kill()
		<-m.done
		if text, _ := os.ReadFile(filepath.Join(m.dir, "log")); t.Failed() {
			t.Logf("hotcut media said:\n%s", text)
		}
	})
	m.start()
	return m
}

func (m *mediaNode) start() {
	m.t.Helper()
	log, err := os.OpenFile(filepath.Join(m.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		m.t.Fatal(err)
	}
	m.cmd = exec.Command(binary, "media", "--listen-ng", m.ng, "--metrics", m.metrics, "--state", filepath.Join(m.dir, "state"),
		"--outside", "pub/"+sideAddr(2), "--inside", "priv/"+sideAddr(3), "--allow", "127.0.0.0/8", "--ports", "22000-22999")
	m.cmd.Stdout, m.cmd.Stderr = log, log
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	log.Close()
	done := make(chan struct{})
	m.done = done
	go func(c *exec.Cmd) { c.Wait(); close(done) }(m.cmd)
	await(m.t, 10*time.Second, "hotcut media to answer", func() bool {
		r, err := http.Get("http://" + m.metrics + "/healthz")
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
}

// value reads a metric; series is its name, with its labels as Prometheus writes them.
func (m *mediaNode) value(series string) int {
	m.t.Helper()
	r, err := http.Get("http://" + m.metrics + "/metrics")
	if err != nil {
		m.t.Fatal(err)
	}
	defer r.Body.Close()
	text, _ := io.ReadAll(r.Body)
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, series+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				m.t.Fatal(line)
			}
			return int(v)
		}
	}
	m.t.Fatalf("no metric %s in\n%s", series, text)
	return 0
}

// stop ends it as an operator does.
func (m *mediaNode) stop() {
	m.t.Helper()
	m.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-m.done:
	case <-time.After(10 * time.Second):
		m.t.Fatal("hotcut media did not stop")
	}
	if code := m.cmd.ProcessState.ExitCode(); code != 0 {
		m.t.Errorf("hotcut media ended with %d", code)
	}
}

// losesFirst stands between a proxy and a relay, and loses the first answer to every command that a word is in.
func losesFirst(t *testing.T, to, word string) (addr string, lost *atomic.Int32) {
	t.Helper()
	front, err := net.ListenPacket("udp", freeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { front.Close() })
	server, err := net.ResolveUDPAddr("udp", to)
	if err != nil {
		t.Fatal(err)
	}
	lost = new(atomic.Int32)
	go func() {
		lines := make(map[netip.AddrPort]*net.UDPConn) // by who asks: the relay tells them apart too
		defer func() {
			for _, l := range lines {
				l.Close()
			}
		}()
		buf := make([]byte, 1<<16)
		for {
			n, from, err := front.(*net.UDPConn).ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			l := lines[from]
			if l == nil {
				if l, err = net.DialUDP("udp", nil, server); err != nil {
					t.Error(err)
					return
				}
				lines[from] = l
				seen := make(map[string]bool) // cookies
				go func() {
					answer := make([]byte, 1<<16)
					for {
						n, err := l.Read(answer)
						if err != nil {
							return
						}
						cookie, _, _ := bytes.Cut(answer[:n], []byte(" "))
						if bytes.Contains(answer[:n], []byte(word)) && !seen[string(cookie)] {
							seen[string(cookie)] = true
							lost.Add(1)
							continue
						}
						front.(*net.UDPConn).WriteToUDPAddrPort(answer[:n], from)
					}
				}()
			}
			l.Write(buf[:n])
		}
	}()
	return front.LocalAddr().String(), lost
}

// speech is ten seconds of something to say, in G.711.
func speech(t *testing.T, dir string) {
	t.Helper()
	b := make([]byte, 80_000)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	if err := os.WriteFile(filepath.Join(dir, "speech.raw"), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A Kamailio commands `hotcut media` while SIPp's callers talk to a SIPp that echoes: what they say arrives and comes back.
// Every command whose answer has a description is answered twice, because the first answer is lost: that changes nothing.
func TestKamailioDrivesHotcutMedia(t *testing.T) {
	m, dir := startMedia(t), t.TempDir()
	tap, lost := losesFirst(t, m.ng, "3:sdp")
	speech(t, dir)
	callee := startSipp(t, dir, "callee", "uas.xml", append(patient, "-rtp_echo", "-mi", home, "-mp", "23000")...)
	proxy := startKamailio(t, "kamailio", "rtpengine.cfg", "CALLEE=\"sip:"+callee.addr+"\"", "REFUSER=\"sip:"+callee.addr+"\"", "RELAY=\"udp:"+tap+"\"")
	const calls, talk = 10, 3
	caller := startSipp(t, dir, "caller", "uactalk.xml", proxy.addr, "-key", "domain", "acme.example", "-s", "bob", "-mi", home,
		"-m", fmt.Sprint(calls), "-r", "5", "-d", fmt.Sprint(talk*1000))
	if code := caller.wait(t, time.Minute); code != 0 {
		t.Fatalf("the calls: exit code %d", code)
	}
	await(t, 10*time.Second, "the calls to end", func() bool { return m.value("hotcut_media_sessions") == 0 })

	if opened := m.value("hotcut_media_sessions_total"); opened != calls {
		t.Errorf("%d sessions for %d calls", opened, calls)
	}
	if again := m.value(`hotcut_media_commands_total{outcome="repeated"}`); again < 2*calls || int(lost.Load()) < 2*calls {
		t.Errorf("%d commands repeated, %d answers lost, for %d calls", again, lost.Load(), calls)
	}
	// Every call says fifty packets a second, and hears them.
	packets, want := m.value("hotcut_media_packets_total"), 2*50*talk*calls
	if packets < want*9/10 {
		t.Errorf("%d packets relayed, want about %d", packets, want)
	}
	for _, why := range []string{"foreign_source", "malformed", "kind", "kernel", "send_error"} {
		if n := m.value(`hotcut_media_dropped_total{reason="` + why + `"}`); n != 0 {
			t.Errorf("%d packets dropped: %s", n, why)
		}
	}
	// Kamailio understood the figures of every call.
	log, _ := os.ReadFile(proxy.log)
	if got := regexp.MustCompile(`media statistics RTP: \d{4,} bytes, \d{3} packets, \d+ errors`).FindAll(log, -1); len(got) != calls {
		t.Errorf("Kamailio wrote the figures of %d calls", len(got))
	}
	m.stop()
}

// The relay is killed in mid-call and started again: the call has its ports, its audio goes on, and its end gives them back.
func TestMediaNodeDiesInMidCall(t *testing.T) {
	m, dir := startMedia(t), t.TempDir()
	speech(t, dir)
	callee := startSipp(t, dir, "callee", "uas.xml", append(patient, "-rtp_echo", "-mi", home, "-mp", "23100")...)
	proxy := startKamailio(t, "kamailio", "rtpengine.cfg", "CALLEE=\"sip:"+callee.addr+"\"", "REFUSER=\"sip:"+callee.addr+"\"", "RELAY=\"udp:"+m.ng+"\"")
	caller := startSipp(t, dir, "caller", "uactalk.xml", proxy.addr, "-key", "domain", "acme.example", "-s", "bob", "-mi", home,
		"-m", "1", "-d", "6000")
	await(t, 10*time.Second, "audio both ways", func() bool { return m.value("hotcut_media_packets_total") > 100 })
	m.cmd.Process.Kill()
	<-m.done
	m.start()
	if n := m.value("hotcut_media_sessions"); n != 1 {
		t.Fatalf("%d sessions after the restart", n)
	}
	await(t, 5*time.Second, "audio both ways", func() bool { return m.value("hotcut_media_packets_total") > 100 })
	if code := caller.wait(t, 30*time.Second); code != 0 {
		t.Fatalf("the call: exit code %d", code)
	}
	await(t, 10*time.Second, "the call to end", func() bool { return m.value("hotcut_media_sessions") == 0 })
	m.stop()
}
