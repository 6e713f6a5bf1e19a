package media

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// child is a relay that a test kills. Its one call is told what stands on a line of standard input: a leg and a Remote.
func child(dir string) {
	o := testOptions()
	o.State = dir
	e, err := New(o)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	key := SessionKey{CallID: "living", Leg: "z9hG4bK"}
	s, ok := e.Session(key)
	if !ok {
		if s, err = e.Open(key, Families{}); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	go e.Run(context.Background())
	fmt.Println(local(s, Outside), local(s, Inside), s.Restored())
	lines := bufio.NewScanner(os.Stdin)
	for leg := Outside; lines.Scan(); leg++ {
		var r Remote
		err := json.Unmarshal(lines.Bytes(), &r)
		if err == nil {
			err = s.SetRemote(leg, r)
		}
		fmt.Println("set", err)
	}
}

// relay is a child process.
type relay struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines *bufio.Scanner
	in    func(string)
}

func startRelay(t *testing.T, dir string) *relay {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "HOTCUT_MEDIA_CHILD="+dir, homeOfChild+"="+loopback.String())
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := &relay{t: t, cmd: cmd, lines: bufio.NewScanner(out), in: func(s string) { fmt.Fprintln(in, s) }}
	t.Cleanup(r.kill)
	return r
}

// kill is kill -9. Twice does no harm.
func (r *relay) kill() {
	r.cmd.Process.Kill()
	r.cmd.Wait()
}

func (r *relay) line() string {
	r.t.Helper()
	if !r.lines.Scan() {
		r.t.Fatal("the relay has ended")
	}
	return r.lines.Text()
}

// A relay that is killed in mid-call and started again has the same ports and knows who the peers are: a phone behind NAT,
// whose address no SDP names, hears the next packet of the other side without sending one first.
func TestKilledAndRestarted(t *testing.T) {
	dir := t.TempDir()
	first := startRelay(t, dir)
	ports := first.line()
	words := strings.Fields(ports)
	if len(words) != 3 || words[2] != "false" {
		t.Fatal(ports)
	}
	a := newPhone(t, "127.0.1.1", netip.MustParseAddrPort(words[0]), 100)
	b := newPhone(t, "127.0.2.1", netip.MustParseAddrPort(words[1]), 200)
	for _, r := range []Remote{
		{RTP: ap("192.168.7.7:4000"), Signalling: a.addr().Addr(), Payloads: []Payload{{101, "telephone-event", 8000}, {Type: 0}}},
		{RTP: b.addr()},
	} {
		line, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		first.in(string(line))
		if got := first.line(); got != "set <nil>" {
			t.Fatal(got)
		}
	}
	a.say()
	a.say()
	b.hears(a.say())
	a.hears(b.say())
	eventually(t, "both locks are in the journal", func() bool {
		list, err := readJournal(filepath.Join(dir, journalName))
		return err == nil && len(list) == 1 && list[0].Legs[Outside].Peer == a.addr() && list[0].Legs[Inside].Peer == b.addr()
	})
	first.kill()

	second := startRelay(t, dir)
	if got, want := second.line(), strings.Replace(ports, "false", "true", 1); got != want {
		t.Fatalf("after the restart %q, want %q", got, want)
	}
	for range 5 {
		a.hears(b.say())
		b.hears(a.say())
	}
	stranger := newPhone(t, "127.0.1.2", a.to, 100)
	stranger.say()
	a.hears(b.say())
	stranger.silent()
}

// A relay that ends in order leaves its calls in the journal too, and takes none that ended.
func TestJournalOverAnOrderlyRestart(t *testing.T) {
	o := testOptions()
	o.State = t.TempDir()
	e := start(t, o)
	kept, a, b := call(t, e, "kept")
	gone, _, _ := call(t, e, "gone")
	again, _, _ := call(t, e, "again")
	again.Close()
	if again, _, _ = call(t, e, "again"); again.Restored() {
		t.Error("a new session calls itself restored")
	}
	if _, err := New(o); err == nil {
		t.Fatal("two relays with one journal")
	}
	gone.Close()
	e.Close()

	e = start(t, o)
	if n := e.Counters(); n.Sessions != 2 || n.NotRestored != 0 {
		t.Fatalf("%+v", n)
	}
	s, ok := e.Session(kept.Key())
	if !ok || !s.Restored() || local(s, Outside) != local(kept, Outside) || local(s, Inside) != local(kept, Inside) {
		t.Fatal("not the session that it was")
	}
	b.hears(a.say())
	a.hears(b.say())
}

// Whatever stands in the journal, the relay starts with what can be used.
func TestBrokenJournal(t *testing.T) {
	o := testOptions()
	o.State = t.TempDir()
	good := record{Key: SessionKey{CallID: "good"}, Legs: [2]legRecord{
		{Addr: loopback, Port: 30000, Remote: Remote{RTP: ap("127.0.1.1:4000")}, SDP: ap("127.0.1.1:4000")},
		{Addr: o.Inside, Port: 30000},
	}}
	line, err := json.Marshal(good)
	if err != nil {
		t.Fatal(err)
	}
	taken := strings.Replace(string(line), `"good"`, `"same ports"`, 1)
	foreign := strings.Replace(strings.Replace(string(line), `"good"`, `"foreign"`, 1), inside.String(), "127.0.0.9", 1)
	ended := `{"key":{"CallID":"ended"},"ended":true}`
	text := strings.Join([]string{"garbage", "{}", string(line), taken, foreign, ended, `{"key":{"CallID":"torn"},"le`}, "\n")
	if err := os.WriteFile(filepath.Join(o.State, journalName), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if c := e.Counters(); c.Sessions != 1 || c.NotRestored != 2 {
		t.Errorf("%+v", c)
	}
	if s, ok := e.Session(good.Key); !ok || local(s, Outside).Port() != 30000 {
		t.Error("the good one is not there")
	}
}
