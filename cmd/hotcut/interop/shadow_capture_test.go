//go:build interop

package interop

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// wiretap is dumpcap on the loopback interface: it has every datagram from or to some addresses, whoever sent it from whatever socket,
// which no program of the test could say of another one.
type wiretap struct {
	t      *testing.T
	at     string // an address of its own: marks of the test come from and go to it
	file   string
	cmd    *exec.Cmd
	done   chan struct{}
	said   bytes.Buffer // complete when done is closed
	ending sync.Once
}

// newWiretap captures until the test ends, or nil: this user may not capture, and the log says that nothing was checked so.
func newWiretap(t *testing.T, hosts ...string) *wiretap {
	t.Helper()
	bin, err := exec.LookPath("dumpcap")
	if err != nil {
		t.Fatal("dumpcap is not installed: apt-get install tshark")
	}
	w := &wiretap{t: t, at: freeAddr(t), file: filepath.Join(t.TempDir(), "all.pcapng"), done: make(chan struct{})}
	w.cmd = exec.Command(bin, "-i", "lo", "-f", "udp and (host "+strings.Join(hosts, " or host ")+")", "-B", "64", "-q", "-w", w.file)
	w.cmd.Stderr = &w.said
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = w.cmd.Wait(); close(w.done) }() // it says itself why it ended
	t.Cleanup(w.end)
	if !w.mark("the capture has begun") {
		if os.Geteuid() == 0 {
			t.Fatalf("dumpcap ended:\n%s", w.said.String())
		}
		t.Logf("NOT CHECKED on a capture, which needs CAP_NET_RAW here:\n%s", w.said.String())
		return nil
	}
	return w
}

func (w *wiretap) end() {
	w.ending.Do(func() {
		_ = w.cmd.Process.Signal(syscall.SIGINT) // it may have ended
		<-w.done
	})
}

// mark sends a datagram to itself until the file has it, and so all that went before it; false: there is nobody to write it.
func (w *wiretap) mark(text string) (ok bool) {
	w.t.Helper()
	conn, err := net.ListenPacket("udp", w.at)
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	await(w.t, 30*time.Second, text, func() bool {
		select {
		case <-w.done:
			return true
		default:
		}
		if _, err := conn.WriteTo([]byte(text), conn.LocalAddr()); err != nil {
			w.t.Error(err)
		}
		b, _ := os.ReadFile(w.file)
		ok = bytes.Contains(b, []byte(text))
		return ok
	})
	return ok
}

// datagram is one of a capture.
type datagram struct {
	from, to, raw string
}

// datagrams ends the capture. tshark reads it, and says who sent what to whom. The test's own are left out: its marks, and the questions
// whether Kamailio is up.
func (w *wiretap) datagrams() (all []datagram) {
	w.t.Helper()
	if !w.mark("the capture has ended") {
		w.t.Fatalf("dumpcap ended before its time:\n%s", w.said.String())
	}
	w.end()
	if !strings.Contains(w.said.String(), "pcap:0/dumpcap:0/flushed:0") {
		w.t.Fatalf("the capture has holes:\n%s", w.said.String())
	}
	out, err := exec.Command("tshark", "-n", "-r", w.file, "-T", "fields", "-e", "ip.src", "-e", "udp.srcport", "-e", "ip.dst", "-e", "udp.dstport", "-e", "udp.payload").Output()
	if err != nil {
		w.t.Fatalf("tshark: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 5 {
			w.t.Fatalf("tshark says %q", line)
		}
		raw, err := hex.DecodeString(f[4])
		if err != nil {
			w.t.Fatalf("tshark says %q: %v", line, err)
		}
		d := datagram{f[0] + ":" + f[1], f[2] + ":" + f[3], string(raw)}
		asks := (f[0] == "127.0.0.1" || f[2] == "127.0.0.1") && strings.HasPrefix(readMessage(d.raw, "").get("Call-ID"), "up-")
		if d.from != w.at && !asks {
			all = append(all, d)
		}
	}
	return all
}

// apart fails the test unless everything of a copy went between the sink and the dark core. That is what one of them sent or got, what has
// the mark or the Call-ID of something like that, and what names one of the two addresses. It fails as well where copies of
// that many calls were not seen, with all that belongs to them.
func (w *shadowed) apart(all []datagram, calls int) {
	w.t.Helper()
	sink, dark := w.sink, w.dark.addr
	theirs := func(addr string) bool {
		host := netip.MustParseAddrPort(addr).Addr()
		return host == netip.MustParseAddrPort(sink).Addr() || host == netip.MustParseAddrPort(dark).Addr()
	}
	shadows, seen, live := map[string]bool{}, map[string]int{}, map[string]int{}
	for _, d := range all {
		m := readMessage(d.raw, d.from)
		if theirs(d.from) || theirs(d.to) {
			shadows[m.get("Call-ID")] = true
			switch {
			case d.from == sink && d.to == dark:
				seen["to the dark core: "+m.method()]++
				if m.method() != "" && m.get("X-Hotcut-Shadow") == "" {
					w.t.Errorf("a copy has no mark:\n%s", d.raw)
				}
			case d.from == dark && d.to == sink:
				seen["to the sink: "+m.method()]++
			default:
				w.t.Errorf("something of a copy went from %s to %s; the sink is %s, the dark core %s:\n%s", d.from, d.to, sink, dark, d.raw)
			}
		}
	}
	delete(shadows, "") // what keeps a path open says nothing
	for _, d := range all {
		if theirs(d.from) && theirs(d.to) {
			continue
		}
		m := readMessage(d.raw, d.from)
		raw := strings.ToLower(d.raw)
		for what, has := range map[string]bool{
			"the mark, or an address in the sink": strings.Contains(raw, "hotcut-shadow"),
			"the Call-ID of a copy":               shadows[m.get("Call-ID")],
			"the sink's address":                  strings.Contains(d.raw, sink),
			"the dark core's address":             strings.Contains(d.raw, dark),
		} {
			if has {
				w.t.Errorf("what went from %s to %s has %s:\n%s", d.from, d.to, what, d.raw)
			}
		}
		switch {
		case d.to == w.legacy.addr:
			live["to legacy: "+m.method()]++
		case slices.Contains([]string{w.bob.addr, w.carol.addr, w.dave.addr}, d.to):
			live["to phones: "+m.method()]++
		case d.to == w.caller.addr:
			live["to the caller"]++
		}
	}
	for what, least := range map[string]int{
		"to the dark core: INVITE": calls, "to the dark core: ACK": calls / 2, "to the dark core: BYE": calls / 8, "to the dark core: CANCEL": calls / 8,
		"to the dark core: REFER": 1, "to the dark core: REGISTER": 3, "to the sink: INVITE": calls / 2, "to the sink: BYE": calls / 8, "to the sink: CANCEL": calls / 8,
	} {
		if seen[what] < least {
			w.t.Errorf("%d %s in the capture, there must be %d", seen[what], what, least)
		}
	}
	for what, least := range map[string]int{"to legacy: INVITE": calls, "to phones: INVITE": calls / 2, "to the caller": calls} {
		if live[what] < least {
			w.t.Errorf("%d %s in the capture, there must be %d", live[what], what, least)
		}
	}
	for id := range w.copies() {
		if !shadows[id] {
			w.t.Errorf("the capture has nothing of the copy %s, which the dark core got", id)
		}
	}
	w.t.Logf("%d datagrams, of copies %v, of live calls %v", len(all), seen, live)
}

// away is a call that rings until the platform is told that nobody is there.
func (w *shadowed) away() {
	w.t.Helper()
	before := w.copies()
	l := w.caller.call(w.edge.outside, "sip:alice@"+realm, "sip:dave@"+realm)
	in := w.dave.expectRequest("INVITE", l.callID)
	w.dave.answer(in, 180, "Ringing", "dave", "")
	w.caller.expectStatus(180, "INVITE", l.callID)
	w.dave.answer(in, 480, "Temporarily Unavailable", "dave", "")
	l.ackRefusal(w.caller.expectStatus(480, "INVITE", l.callID))
	w.copied(before)
}

// transferred is a call whose caller sends bob on to carol, who is busy.
func (w *shadowed) transferred() {
	w.t.Helper()
	before := w.copies()
	l := w.caller.call(w.edge.outside, "sip:alice@"+realm, "sip:bob@"+realm)
	in := w.bob.expectRequest("INVITE", l.callID)
	w.bob.answerTo("BYE", l.callID)
	w.bob.answer(in, 180, "Ringing", "bob", "")
	w.caller.expectStatus(180, "INVITE", l.callID)
	w.bob.answer(in, 200, "OK", "bob", "")
	l.answered(w.caller.expectStatus(200, "INVITE", l.callID))
	w.bob.expectRequest("ACK", l.callID)
	w.copied(before)
	l.cseq++
	l.u.send(l.next(), l.request("REFER", fmt.Sprintf("%sr%d", branchOf(l), l.cseq), l.cseq, "Refer-To: <sip:carol@"+realm+">\r\n"))
	w.bob.answer(w.bob.expectRequest("REFER", l.callID), 202, "Accepted", "bob", "")
	w.caller.expectStatus(202, "REFER", l.callID)
	before = w.copies()
	on := w.bob.call(w.edge.outside, "sip:bob@"+realm, "sip:carol@"+realm)
	w.carol.answer(w.carol.expectRequest("INVITE", on.callID), 486, "Busy Here", "carol", "")
	on.ackRefusal(w.bob.expectStatus(486, "INVITE", on.callID))
	w.copied(before)
	l.bye()
}
