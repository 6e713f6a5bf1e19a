//go:build interop

package interop

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hotcut/hotcut/proxy/callrecord"
)

// startRTPEngine runs Debian's rtpengine in user space, its sides called pub and priv as those of startMedia.
func startRTPEngine(t *testing.T) (ng string, kill func()) {
	t.Helper()
	bin, err := exec.LookPath("rtpengine")
	if err != nil {
		t.Fatal("this test needs rtpengine: apt-get install rtpengine-daemon")
	}
	ng = freeAddr(t)
	file := filepath.Join(t.TempDir(), "rtpengine.log")
	log, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "--config-file=none", "--table=-1", "--interface=pub/"+sideAddr(6), "--interface=priv/"+sideAddr(7), "--listen-ng="+ng,
		"-m", "24000", "-M", "24999", "--foreground", "--log-stderr", "--log-level=5")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	log.Close()
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	kill = func() { cmd.Process.Kill(); <-ended }
	t.Cleanup(func() {
		kill()
		if t.Failed() {
			text, _ := os.ReadFile(file)
			t.Logf("rtpengine said:\n%s", text[max(0, len(text)-4000):])
		}
	})
	await(t, 10*time.Second, "rtpengine to listen", func() bool {
		c, err := net.Dial("udp", ng)
		if err != nil {
			return false
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(time.Second))
		c.Write([]byte("1 d7:command4:pinge"))
		n, err := c.Read(make([]byte, 100))
		return err == nil && n > 0
	})
	return ng, kill
}

// echoed makes calls through an edge that say something and hear it come back.
func echoed(t *testing.T, dir, name string, e *edge, calls, talk int) *sipp {
	return startSipp(t, dir, name, "uactalk.xml", e.outside, "-key", "domain", "acme.example", "-s", "bob", "-mi", home,
		"-m", fmt.Sprint(calls), "-r", "5", "-d", fmt.Sprint(talk*1000))
}

// sounded waits for the records of that many calls that are over, and returns those that are new.
func (e *edge) sounded(t *testing.T, calls int, known map[string]bool) (list []callrecord.Record) {
	t.Helper()
	await(t, 15*time.Second, fmt.Sprintf("the records of %d calls", calls), func() bool {
		list = nil
		for id, rec := range e.records() {
			if rec.End != 0 && !known[id] {
				list = append(list, rec)
			}
		}
		return len(list) == calls
	})
	for _, rec := range list {
		known[rec.CallID] = true
	}
	return list
}

// An edge has its calls relayed by an rtpengine and a `hotcut media`, each by its share: SIPp's callers talk to a SIPp that
// echoes, and the edge's records say how each call sounded. Then rtpengine is killed: calls under way do not fail, and new ones
// go to the other server.
func TestEdgeDrivesMediaServers(t *testing.T) {
	m, dir := startMedia(t), t.TempDir()
	engine, kill := startRTPEngine(t)
	speech(t, dir)
	callee := startSipp(t, dir, "callee", "uas.xml", append(patient, "-rtp_echo", "-mi", home, "-mp", "23200")...)
	r := newRigFor(t, site{legacy: []string{callee.addr}, core: []string{freeAddr(t)}, edges: 1,
		media: fmt.Sprintf(`{engine: ng, servers: ["%s", "%s"], interfaces: [pub, priv]}`, engine, m.ng)})
	e, known := r.edges[0], map[string]bool{}
	const calls, talk = 12, 3
	audible := func(rec callrecord.Record) (packets uint64) {
		t.Helper()
		if rec.Media == nil {
			t.Errorf("%s: no figures", rec.CallID)
			return 0
		}
		for _, l := range []callrecord.MediaLeg{rec.Media.Outside, rec.Media.Inside} {
			if l.Codec == "" || l.Packets < talk*50*8/10 || !strings.HasPrefix(l.Peer, home) {
				t.Errorf("%s: %+v", rec.CallID, l)
			}
		}
		return rec.Media.Outside.Packets
	}

	if code := echoed(t, dir, "first", e, calls, talk).wait(t, time.Minute); code != 0 {
		t.Fatalf("the calls: exit code %d", code)
	}
	for _, rec := range e.sounded(t, calls, known) {
		audible(rec)
	}
	by := m.value("hotcut_media_sessions_total") // the others are rtpengine's
	if by == 0 || by == calls {
		t.Errorf("hotcut media had %d calls of %d", by, calls)
	}
	await(t, 5*time.Second, "the calls to be gone", func() bool { return m.value("hotcut_media_sessions") == 0 })

	living := echoed(t, dir, "living", e, calls, 6)
	await(t, 10*time.Second, "calls to live", func() bool { return m.value("hotcut_media_sessions_total") > by })
	pause(t, 2*time.Second) // all of them talk
	kill()
	after := echoed(t, dir, "after", e, calls, talk)
	for name, s := range map[string]*sipp{"under way": living, "after": after} {
		if code := s.wait(t, time.Minute); code != 0 {
			t.Errorf("calls %s: exit code %d", name, code)
		}
	}
	heard := 0
	for _, rec := range e.sounded(t, 2*calls, known) {
		if rec.Code != 200 {
			t.Errorf("%s: %d", rec.CallID, rec.Code)
		}
		if rec.Media != nil {
			heard++
		}
	}
	if heard < calls { // the later ones, and of the living those that were not rtpengine's
		t.Errorf("%d calls were relayed to their end, want %d at least", heard, calls)
	}
	if n := m.value("hotcut_media_sessions_total"); n < by+calls {
		t.Errorf("hotcut media has had %d calls, %d of them before", n, by)
	}
	await(t, 10*time.Second, "the calls to be gone", func() bool { return m.value("hotcut_media_sessions") == 0 })
	m.stop()
}
