//go:build interop

package interop

import (
	enc "encoding/binary" // binary is the program under test
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hotcut/hotcut/proxy/callrecord"
)

// relayed is how the calls of a caller sounded, by the records of an edge; nothing may be dropped in any.
func relayed(t *testing.T, e *edge, caller *sipp) (list []callrecord.Media) {
	t.Helper()
	for id := range caller.traces(t) {
		m := e.ended(id).Media
		if m == nil {
			t.Fatalf("%s was not relayed", id)
		}
		if m.Outside.Dropped != 0 || m.Inside.Dropped != 0 || m.Outside.Sent != m.Inside.Packets || m.Inside.Sent != m.Outside.Packets || len(m.Events) > 0 {
			t.Errorf("%s: %+v", id, m)
		}
		list = append(list, *m)
	}
	return list
}

// SIPp's callers stream G.711 to a SIPp that echoes, through an edge: every packet goes there and comes back.
func TestSippTalksThroughTheEdge(t *testing.T) {
	dir := t.TempDir()
	speech(t, dir)
	callee := startSipp(t, dir, "callee", "uas.xml", append(patient, "-rtp_echo", "-mi", home, "-mp", "23200")...)
	r := newRigFor(t, site{legacy: []string{callee.addr}, core: []string{freeAddr(t)}, edges: 1, relays: true})
	const calls, seconds = 20, 3
	caller := startSipp(t, dir, "caller", "uactalk.xml", r.edges[0].outside, "-key", "domain", realm, "-s", "bob", "-mi", home,
		"-m", fmt.Sprint(calls), "-r", "10", "-d", fmt.Sprint(seconds*1000))
	if code := caller.wait(t, time.Minute); code != 0 {
		t.Fatalf("the calls: exit code %d", code)
	}
	list, packets := relayed(t, r.edges[0], caller), uint64(0)
	if len(list) != calls {
		t.Errorf("%d calls were relayed, %d made", len(list), calls)
	}
	for _, m := range list {
		out, in := m.Outside, m.Inside
		// SIPp streams by a clock of its own, which a busy machine slows down, until its BYE: some echoes are under way then.
		if out.Packets < 50*seconds/2 || in.Packets > out.Packets || in.Packets < out.Packets*8/10 {
			t.Errorf("%d packets from the caller, %d from the callee", out.Packets, in.Packets)
		}
		if out.Lost != 0 || in.Lost != 0 || out.Codec != "PCMU" || in.Codec != "PCMU" || out.MOS == 0 || in.MOS == 0 {
			t.Errorf("from the caller %+v, from the callee %+v", out, in)
		}
		packets += out.Packets + in.Packets
	}
	t.Logf("%d calls, %d packets", len(list), packets)
}

// SIPp plays a capture of G.711 A-law and then a key of RFC 4733, in a stream of its own: as many packets as the captures have.
func TestSippPlaysACaptureThroughTheEdge(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_UDP)
	if err != nil {
		// A container without CAP_NET_RAW: SIPp itself can not play there. That RTP passes the relay unchanged is held by
		// TestSippTalksThroughTheEdge and by the tests with tshark and baresip, which need no such right.
		t.Skipf("not run: SIPp plays captures by a raw socket, and this machine forbids them: %v", err)
	}
	unix.Close(fd)
	dir, packets := t.TempDir(), uint64(0)
	for name, from := range map[string]string{"speech.pcap": "g711a.pcap", "key.pcap": "dtmf_2833_5.pcap"} {
		b, err := os.ReadFile("/usr/share/sip-tester/" + from)
		if err != nil {
			t.Fatal(err) // the package has them
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
		for at := 24; at < len(b); packets++ {
			at += 16 + int(enc.LittleEndian.Uint32(b[at+8:]))
		}
	}
	callee := startSipp(t, dir, "callee", "uas.xml", append(patient, "-rtp_echo", "-mi", home, "-mp", "23300")...)
	r := newRigFor(t, site{legacy: []string{callee.addr}, core: []string{freeAddr(t)}, edges: 1, relays: true})
	caller := startSipp(t, dir, "caller", "uacpcap.xml", r.edges[0].outside, "-key", "domain", realm, "-s", "bob", "-mi", home,
		"-mp", "23400", "-m", "1", "-d", "3000")
	if code := caller.wait(t, time.Minute); code != 0 {
		t.Fatalf("the call: exit code %d", code)
	}
	list := relayed(t, r.edges[0], caller)
	if len(list) != 1 {
		t.Fatalf("%d calls were relayed", len(list))
	}
	for who, x := range map[string]callrecord.MediaLeg{"the caller": list[0].Outside, "the callee": list[0].Inside} {
		// The last packet of the key is in its capture three times: RFC 3550 A.3 counts repetitions against what is lost.
		if x.Packets != packets || x.Lost != -2 || x.Codec != "PCMA" || x.MOS == 0 {
			t.Errorf("from %s %+v, want %d packets of PCMA", who, x, packets)
		}
	}
}
