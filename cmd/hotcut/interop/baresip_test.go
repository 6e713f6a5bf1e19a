//go:build interop

package interop

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// baresip is one baresip with one account, driven over its control connection.
type baresip struct {
	t    *testing.T
	user string
	dir  string
	log  string
	ctrl net.Conn
	done chan struct{}

	mu     sync.Mutex // guards events
	events []phoneEvent
}

// phoneEvent is one that baresip tells of: REGISTER_OK, REGISTER_FAIL, CALL_INCOMING, CALL_ESTABLISHED, CALL_CLOSED.
type phoneEvent struct {
	Type  string
	Param string
	ID    string // Call-ID
}

// startBaresip starts one whose requests all go to an address, over UDP or TCP, that registers for seconds and answers
// calls by itself, or, with manual, when it is told to. more are lines of its configuration; FOLDER is its own.
func startBaresip(t *testing.T, to, transport, user string, seconds int, answer string, more ...string) *baresip {
	t.Helper()
	bin, err := exec.LookPath("baresip")
	if err != nil {
		t.Fatal("baresip is not installed: apt-get install baresip-core")
	}
	dir := t.TempDir()
	ctrl := freeAddr(t)
	conf := fmt.Sprintf("poll_method epoll\nsip_listen %s:0\nnet_interface %s\nmodule_path %s\nmodule g711.so\nmodule_app account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\nctrl_tcp_listen %s\n",
		home, home, baresipModules(t), ctrl)
	for _, line := range more {
		conf += strings.ReplaceAll(line, "FOLDER", dir) + "\n"
	}
	account := fmt.Sprintf("<sip:%s@%s;transport=%s>;auth_user=%s;auth_pass=pw-%s;outbound=\"sip:%s;transport=%s\";regint=%d;answermode=%s\n",
		user, realm, transport, user, user, to, transport, seconds, answer)
	for name, text := range map[string]string{"config": conf, "accounts": account, "contacts": "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b := &baresip{t: t, user: user, dir: dir, log: filepath.Join(dir, "log"), done: make(chan struct{})}
	log, err := os.Create(b.log)
	if err != nil {
		t.Fatal(err)
	}
	// With its trace of messages; it ends by itself if we do not come to end it.
	cmd := exec.Command(bin, "-f", dir, "-s", "-t", "240")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	log.Close()
	go func() { cmd.Wait(); close(b.done) }()
	t.Cleanup(func() {
		cmd.Process.Kill() // no un-REGISTER: that is for the test to say
		<-b.done
		if b.ctrl != nil {
			b.ctrl.Close()
		}
		if t.Failed() {
			text, _ := os.ReadFile(b.log)
			t.Logf("baresip of %s said:\n%s", user, text[max(0, len(text)-12000):])
		}
	})
	await(t, 10*time.Second, "baresip to listen to commands", func() bool {
		b.ctrl, err = net.Dial("tcp", ctrl)
		return err == nil
	})
	go b.listen()
	return b
}

func baresipModules(t *testing.T) string {
	t.Helper()
	for _, pattern := range []string{"/usr/lib/baresip/modules", "/usr/lib/*/baresip/modules", "/usr/local/lib/baresip/modules"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[0]
		}
	}
	t.Fatal("baresip has no modules")
	return ""
}

// listen reads netstrings (LENGTH:TEXT,) of JSON.
func (b *baresip) listen() {
	in := bufio.NewReader(b.ctrl)
	for {
		size, err := in.ReadString(':')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(size, ":"))
		if err != nil || n > 1<<20 {
			return
		}
		text := make([]byte, n+1)
		if _, err := io.ReadFull(in, text); err != nil {
			return
		}
		var e phoneEvent
		if json.Unmarshal(text[:n], &e) == nil && e.Type != "" {
			b.mu.Lock()
			b.events = append(b.events, e)
			b.mu.Unlock()
		}
	}
}

func (b *baresip) command(name, params string) {
	b.t.Helper()
	text, _ := json.Marshal(map[string]string{"command": name, "params": params})
	if _, err := fmt.Fprintf(b.ctrl, "%d:%s,", len(text), text); err != nil {
		b.t.Error(err)
	}
}

// count counts events of a kind; of one call, or of any with "".
func (b *baresip) count(kind, callID string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, e := range b.events {
		if e.Type == kind && (callID == "" || e.ID == callID) {
			n++
		}
	}
	return n
}

// said counts in its log.
func (b *baresip) said(text string) int {
	log, err := os.ReadFile(b.log)
	if err != nil {
		b.t.Fatal(err)
	}
	return strings.Count(string(log), text)
}

// content fails the test if it has ever told its user of a failed login.
func (b *baresip) content() {
	b.t.Helper()
	if n := b.count("REGISTER_FAIL", "") + b.said("reg: sip:"); n > 0 {
		b.t.Errorf("baresip reports %d failed registrations", n)
	}
}

// called fails the test unless a call through the edge is answered, by auto-answer, and ends well.
func (b *baresip) called(e *edge) {
	b.t.Helper()
	caller := newUA(b.t, "caller")
	l := caller.call(e.outside, "sip:caller@"+realm, "sip:"+b.user+"@"+realm)
	l.answered(caller.expectStatus(200, "INVITE", l.callID))
	l.bye()
}

// baresip is registered through the edge, behind a router, while its tenant is moved, and taken back, between two of its
// refreshes; between the 401 and its answer; and while it rings. It stays registered and is reached each time, and it
// never tells its user of a failed login.
func TestBaresipSurvivesFlip(t *testing.T) {
	for _, by := range reaches {
		t.Run(by.name, func(t *testing.T) {
			t.Parallel() // they wait for refreshes most of the time
			t.Run("refresh", func(t *testing.T) { baresipRefreshes(t, by) })
			t.Run("challenge", func(t *testing.T) { baresipChallenged(t, by) })
			t.Run("ringing", func(t *testing.T) { baresipRings(t, by) })
		})
	}
}

// moves are a flip and the way back.
func (w *world) moves() []func() {
	return []func(){
		func() { w.must("flip", "acme", "--to", "core", "--yes") },
		func() { w.must("rollback", "acme", "--yes") },
	}
}

func baresipRefreshes(t *testing.T, by reach) {
	w := newWorld(t, 1, by)
	e := w.edges[0]
	n := newNAT(t, e.outside)
	n.granted = 3 // it comes again well before
	b := startBaresip(t, n.addr, "udp", "bob", 300, "auto")
	await(t, 10*time.Second, "baresip to be registered", func() bool { return n.registrations() > 0 })
	b.called(e)
	for i, move := range w.moves() {
		move()
		b.called(e) // before it has said a word
		before := n.registrations()
		await(t, 20*time.Second, "two refreshes after the move", func() bool { return n.registrations() >= before+2 })
		b.called(e)
		for name, k := range map[string]*kamailio{"legacy": w.legacy, "core": w.core} {
			if c := k.contacts("bob"); len(c) != 1 && (i == 0 || name == "legacy") {
				t.Errorf("after move %d %s has %+v", i+1, name, c)
			}
		}
	}
	b.content()
}

func baresipChallenged(t *testing.T, by reach) {
	w := newWorld(t, 1, by)
	e := w.edges[0]
	n := newNAT(t, e.outside)
	n.granted = 3
	answers := func(m *message) bool { return m.method() == "REGISTER" && m.get("Authorization") != "" }
	n.holdNext(answers)
	b := startBaresip(t, n.addr, "udp", "bob", 300, "auto")
	for i, move := range w.moves() {
		held := <-n.held // it has a challenge of the old platform, and answers it
		move()
		n.release(held)
		want := n.registrations() + 1
		await(t, 15*time.Second, "baresip to be registered", func() bool { return n.registrations() >= want })
		serving := []*kamailio{w.core, w.legacy}[i]
		await(t, 5*time.Second, "the serving platform to know it", func() bool { return len(serving.contacts("bob")) == 1 })
		b.called(e)
		if i == 0 {
			n.holdNext(answers)
		}
	}
	b.content()
}

func baresipRings(t *testing.T, by reach) {
	w := newWorld(t, 1, by)
	e := w.edges[0]
	n := newNAT(t, e.outside)
	n.granted = 3
	b := startBaresip(t, n.addr, "udp", "bob", 300, "manual")
	await(t, 10*time.Second, "baresip to be registered", func() bool { return n.registrations() > 0 })
	caller := newUA(t, "caller")
	ring := func() *leg {
		t.Helper()
		l := caller.call(e.outside, "sip:caller@"+realm, bob)
		caller.expectStatus(180, "INVITE", l.callID)
		return l
	}
	pickUp := func(l *leg, on *kamailio) {
		t.Helper()
		b.command("accept", "")
		l.answered(caller.expectStatus(200, "INVITE", l.callID))
		await(t, 5*time.Second, "baresip to talk", func() bool { return b.count("CALL_ESTABLISHED", l.callID) == 1 })
		l.bye()
		if got := on.methods(l.callID); got != "INVITE ACK BYE" {
			t.Errorf("the platform that rang served %q, want INVITE ACK BYE", got)
		}
	}
	on := w.legacy
	for i, move := range w.moves() {
		l := ring()
		move()
		pickUp(l, on)
		on = []*kamailio{w.core, w.legacy}[i]
		pickUp(ring(), on)
		before := n.registrations()
		await(t, 20*time.Second, "a refresh after the move", func() bool { return n.registrations() > before })
		pickUp(ring(), on)
	}
	b.content()
}
