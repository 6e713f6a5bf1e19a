//go:build interop

package ng

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hotcut/hotcut/media/sdp"
)

// rtpengine is Debian's, in user space, on loopback: interface pub is 127.0.0.1, priv 127.0.0.2.
type rtpengine struct {
	addr netip.AddrPort
	log  string
}

func startRTPEngine(t *testing.T) *rtpengine {
	t.Helper()
	bin, err := exec.LookPath("rtpengine")
	if err != nil {
		t.Fatal("this test needs rtpengine: apt-get install rtpengine-daemon")
	}
	conn := listen(t, 0)
	e := &rtpengine{addr: conn.LocalAddr().(*net.UDPAddr).AddrPort(), log: filepath.Join(t.TempDir(), "log")}
	conn.Close()
	log, err := os.Create(e.log)
	if err != nil {
		t.Fatal(err)
	}
	low := 40000 + 100*rand.IntN(200)
	cmd := exec.Command(bin, "--config-file=none", "--table=-1", "--interface=pub/127.0.0.1", "--interface=priv/127.0.0.2",
		"--listen-ng="+e.addr.String(), "-m", fmt.Sprint(low), "-M", fmt.Sprint(low+99), "--foreground", "--log-stderr", "--log-level=7")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	log.Close()
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
		if t.Failed() {
			text, _ := os.ReadFile(e.log)
			t.Logf("rtpengine said:\n%s", text[max(0, len(text)-4000):])
		}
	})
	return e
}

// client is ready: rtpengine has answered a ping.
func (e *rtpengine) client(t *testing.T) *Client {
	t.Helper()
	c := startClient(t, ClientConfig{Servers: []netip.AddrPort{e.addr}, Interval: 500 * time.Millisecond})
	eventually(t, func() bool { return c.Health()[0].Up && c.Health()[0].RTT > 0 })
	return c
}

// body is an SDP of one end: audio on a port of 127.0.0.1.
func body(port int) string {
	return fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 192.0.2.77\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %d RTP/AVP 0\r\na=sendrecv\r\n", port)
}

// endpointIn is the place that a rewritten SDP names.
func endpointIn(t *testing.T, text string) (rtp, rtcp netip.AddrPort) {
	t.Helper()
	var d sdp.Description
	if f := d.Scan([]byte(text)); f != sdp.FaultNone || len(d.Media) != 1 {
		t.Fatalf("%v:\n%s", f, text)
	}
	return d.Endpoint(0)
}

// A call from offer to delete, with packets.
func TestRTPEngineCall(t *testing.T) {
	e := startRTPEngine(t)
	c := e.client(t)
	ctx := t.Context()
	caller, callee := newEnd(t, 7), newEnd(t, 9)
	q := Request{Command: Offer, CallID: "call-1", FromTag: "f", ViaBranch: "leg-1", Label: "outside", SDP: body(caller.port),
		Flags: Flags{Direction: [2]string{"pub", "priv"}, TrustAddress: true, ReplaceOrigin: true, ICE: ICERemove}}
	r, at, err := c.Place(ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	towardsCallee, rtcpCallee := endpointIn(t, r.SDP)
	if towardsCallee.Addr() != netip.MustParseAddr("127.0.0.2") || strings.Contains(r.SDP, "192.0.2.77") {
		t.Errorf("offer became\n%s", r.SDP)
	}
	q.Command, q.ToTag, q.SDP, q.Label = Answer, "t", body(callee.port), ""
	q.Flags.Direction = [2]string{} // that of the offer counts
	if r, err = c.Do(ctx, at, q); err != nil {
		t.Fatal(err)
	}
	towardsCaller, rtcpCaller := endpointIn(t, r.SDP)
	if towardsCaller.Addr() != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("answer became\n%s", r.SDP)
	}
	if _, err := c.Do(ctx, at, Request{Command: Answer, CallID: "call-2", FromTag: "f", ToTag: "t", SDP: body(4)}); err != ErrUnknownCall {
		t.Errorf("answer of an unknown call: %v", err)
	}

	for range 4 {
		for range 20 {
			caller.rtp(towardsCaller, callee)
			callee.rtp(towardsCallee, caller)
		}
		caller.report(rtcpCaller, callee)
		callee.report(rtcpCallee, caller)
	}

	r, err = c.Do(ctx, at, Request{Command: Query, CallID: "call-1"})
	if err != nil || r.Report == nil {
		t.Fatalf("%+v, %v", r, err)
	}
	checkReport(t, r.Report, caller, callee, towardsCaller, towardsCallee)
	// Our own writing of it says the same.
	d, err := decode(appendDict(nil, r.dict(Query)))
	if again, _ := readResponse(Query, d); err != nil || !reflect.DeepEqual(again, r) {
		t.Errorf("%v: report\n%+v\nbecame\n%+v", err, r.Report, again.Report)
	}

	if r, err := c.Do(ctx, at, Request{Command: List, Limit: 10}); err != nil || !reflect.DeepEqual(r.Calls, []string{"call-1"}) {
		t.Errorf("list: %v, %v", r.Calls, err)
	}
	if r, err := c.Do(ctx, at, Request{Command: Statistics}); err != nil || r.Statistics.dict("currentstatistics").integer("sessionstotal") != 1 {
		t.Errorf("statistics: %v, %v", r.Statistics, err)
	}
	if r, err := c.Do(ctx, at, Request{Command: Delete, CallID: "call-1", FromTag: "f", DeleteNow: true}); err != nil || r.Warning != "" || r.Report == nil {
		t.Errorf("delete: %+v, %v", r, err)
	}
	if _, err := c.Do(ctx, at, Request{Command: Query, CallID: "call-1"}); err != ErrUnknownCall {
		t.Errorf("query of a deleted call: %v", err)
	}
	if r, err := c.Do(ctx, at, Request{Command: Delete, CallID: "call-1"}); err != nil || r.Warning != string(ErrNoSuchBranch) {
		t.Errorf("second delete: %+v, %v", r, err)
	}
	if _, err := c.Do(ctx, at, Request{Command: Delete, CallID: "call-1", Fatal: true}); err != ErrNoSuchBranch {
		t.Errorf("fatal delete: %v", err)
	}
}

func checkReport(t *testing.T, r *Report, caller, callee *end, towardsCaller, towardsCallee netip.AddrPort) {
	t.Helper()
	if len(r.Tags) != 2 || r.RTP.Packets != 160 || r.RTCP.Packets != 8 || time.Since(r.Created) > time.Minute {
		t.Fatalf("report %+v", r)
	}
	for i, want := range []struct {
		name, label, branch string
		local               netip.AddrPort
		end                 *end
	}{{"f", "outside", "", towardsCaller, caller}, {"t", "", "leg-1", towardsCallee, callee}} {
		tag := r.Tags[i]
		if tag.Name != want.name || tag.Label != want.label || tag.ViaBranch != want.branch || len(tag.With) != 1 || len(tag.Medias) != 1 {
			t.Errorf("tag %+v", tag)
			continue
		}
		m := tag.Medias[0]
		if m.Index != 1 || m.Type != "audio" || m.Protocol != "RTP/AVP" || m.Codec != "PCMU/8000" || len(m.Streams) != 2 {
			t.Errorf("media %+v", m)
			continue
		}
		s := m.Streams[0]
		if s.Local != want.local || s.Endpoint.Port() != uint16(want.end.port) || s.Advertised != s.Endpoint || s.Packets != 80 ||
			s.Bytes != 80*172 || s.SSRC != want.end.ssrc || s.Flags[0] != "RTP" || m.Streams[1].Flags[0] != "RTCP" || m.Streams[1].Packets != 4 {
			t.Errorf("stream %+v", s)
		}
	}
	if len(r.SSRC) == 0 { // it takes a MOS once in a while, and of one end first
		t.Fatal("no quality")
	}
	for _, q := range r.SSRC {
		for _, p := range []QualityPoint{q.Average, q.Lowest, q.Highest} {
			if q.SSRC != caller.ssrc && q.SSRC != callee.ssrc || p.MOS < 10 || p.MOS > 50 || p.RoundTrip <= 0 || p.RoundTrip > 1e6 {
				t.Errorf("quality %+v", q)
			}
		}
		if q.Average.Samples == 0 || q.Lowest.ReportedAt.IsZero() || q.Highest.ReportedAt.IsZero() {
			t.Errorf("quality %+v", q)
		}
	}
}

// The errors of our server are those of rtpengine, to the byte of their dictionaries.
func TestRTPEngineErrors(t *testing.T) {
	e := startRTPEngine(t)
	e.client(t)
	conn := dial(t, e.addr)
	for i, one := range dialogue {
		cookie := fmt.Sprintf("dialogue%d ", i)
		theirs, ok := strings.CutPrefix(ask(t, conn, cookie+one.ask), cookie)
		if !ok {
			t.Errorf("%q: another cookie", one.ask)
		}
		d, err := decode([]byte(theirs))
		want, _ := decode([]byte(one.want))
		if err != nil || !reflect.DeepEqual(d, want) {
			t.Errorf("%q: rtpengine says %q, we %q (%v)", one.ask, theirs, one.want, err)
		}
	}
}

// flagSets are what we ask for in an offer, and what must be true of the SDP that comes back.
var flagSets = []struct {
	name  string
	ice   bool // the SDP has candidates
	flags Flags
	check func(text string) bool
}{
	{"none", true, Flags{}, func(s string) bool { return strings.Contains(s, "192.0.2.77") && strings.Contains(s, "a=candidate:") }},
	{"origin", false, Flags{ReplaceOrigin: true}, func(s string) bool { return !strings.Contains(s, "192.0.2.77") }},
	{"both", false, Flags{ReplaceOrigin: true, ReplaceSessionConnection: true}, func(s string) bool { return !strings.Contains(s, "192.0.2.") }},
	{"ICE remove", true, Flags{ICE: ICERemove}, func(s string) bool { return !strings.Contains(s, "a=candidate") && !strings.Contains(s, "a=ice") }},
	{"ICE force", true, Flags{ICE: ICEForce}, func(s string) bool {
		return strings.Contains(s, "a=candidate:") && !strings.Contains(s, " 192.0.2.5 ") && !strings.Contains(s, "ice-ufrag:mine")
	}},
	{"ICE default", true, Flags{ICE: ICEDefault}, func(s string) bool { return strings.Contains(s, "a=candidate:") && !strings.Contains(s, " 192.0.2.5 ") }},
	{"direction", false, Flags{Direction: [2]string{"priv", "pub"}}, func(s string) bool { return strings.Contains(s, "c=IN IP4 127.0.0.1") }},
	{"transport", false, Flags{TransportProtocol: "RTP/SAVP"}, func(s string) bool { return strings.Contains(s, "RTP/SAVP ") }},
	{"rtcp-mux", false, Flags{RTCPMux: []string{"offer", "accept"}}, func(s string) bool { return strings.Contains(s, "a=rtcp-mux") }},
	{"source", false, Flags{SIPSourceAddress: true, ReceivedFrom: netip.MustParseAddr("127.0.0.9")}, nil},
	{"media address", false, Flags{MediaAddress: netip.MustParseAddr("127.0.0.8"), TrustAddress: true}, func(s string) bool { return strings.Contains(s, "c=IN IP4 127.0.0.8") }},
	{"family, symmetry, latching, recording", false, Flags{AddressFamily: IP4, Asymmetric: true, Symmetric: true, PortLatching: true, Record: RecordOff, Other: []string{"loop-protect"}}, nil},
}

// What we write, rtpengine reads as we meant it: its own log shows the dictionary that it has got, and the SDP that comes back shows
// that it has understood.
func TestRTPEngineReadsOurFlags(t *testing.T) {
	e := startRTPEngine(t)
	c := e.client(t)
	const ice = "a=ice-ufrag:mine\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\na=candidate:1 1 UDP 2130706431 192.0.2.5 4000 typ host\r\n"
	for i, set := range flagSets {
		t.Run(set.name, func(t *testing.T) {
			q := Request{Command: Offer, CallID: fmt.Sprintf("flags-%d", i), FromTag: "f", SDP: body(4000), Flags: set.flags, LoadLimit: true}
			if set.ice {
				q.SDP += ice
			}
			if q.Flags.Direction[0] == "" {
				q.Flags.Direction = [2]string{"pub", "priv"}
			}
			r, at, err := c.Place(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			if set.check != nil && !set.check(r.SDP) {
				t.Errorf("offer became\n%s", r.SDP)
			}
			want, err := json.Marshal(q.dict())
			if err != nil {
				t.Fatal(err)
			}
			if got := e.received(t, q.CallID); !sameJSON(t, got, want) {
				t.Errorf("rtpengine has got\n%s\nwe meant\n%s", got, want)
			}
			report, err := c.Do(t.Context(), at, Request{Command: Query, CallID: q.CallID})
			if err != nil {
				t.Fatal(err)
			}
			endpoint, asymmetric := netip.MustParseAddrPort("127.0.0.1:4000"), false
			switch {
			case set.ice && q.Flags.ICE != ICERemove:
				endpoint = netip.AddrPort{} // ICE will tell
			case q.Flags.SIPSourceAddress:
				endpoint = netip.AddrPortFrom(q.Flags.ReceivedFrom, 4000)
			}
			for _, tag := range report.Report.Tags {
				for _, m := range tag.Medias {
					if tag.Name == "f" && endpoint.IsValid() && m.Streams[0].Endpoint != endpoint {
						t.Errorf("packets go to %v, not %v", m.Streams[0].Endpoint, endpoint)
					}
					for _, flag := range m.Flags {
						asymmetric = asymmetric || flag == "asymmetric"
					}
				}
			}
			if asymmetric != q.Flags.Asymmetric {
				t.Errorf("asymmetric %v: %+v", asymmetric, report.Report.Tags)
			}
		})
	}
}

// received is the dictionary of the offer of this call, as rtpengine logged it, line ends in strings and all.
func (e *rtpengine) received(t *testing.T, callID string) []byte {
	t.Helper()
	var dump string
	eventually(t, func() bool {
		text, err := os.ReadFile(e.log)
		if err != nil {
			t.Fatal(err)
		}
		_, after, ok := strings.Cut(string(text), "["+callID+"]: [control] Dump for 'offer' from ")
		if !ok {
			return false
		}
		_, after, _ = strings.Cut(after, ": ")
		dump, _, ok = strings.Cut(after, "\n[")
		return ok
	})
	return []byte(strings.NewReplacer("\r", `\r`, "\n", `\n`).Replace(dump))
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	if err := errors.Join(json.Unmarshal(a, &x), json.Unmarshal(b, &y)); err != nil {
		t.Errorf("%v in %s", err, a)
	}
	return reflect.DeepEqual(x, y)
}

// What we rewrite and what rtpengine rewrites name the same places, for the same SDP and the same ports.
func TestRTPEngineRewritesAsWeDo(t *testing.T) {
	e := startRTPEngine(t)
	c := e.client(t)
	for i, name := range []string{"plain", "rtcp", "two", "refused", "sendonly"} {
		in := map[string]string{
			"plain":    body(4000),
			"rtcp":     body(4000) + "a=rtcp:4005\r\n",
			"two":      body(4000) + "m=audio 4010 RTP/AVP 8\r\nc=IN IP4 127.0.0.5\r\n",
			"refused":  body(4000) + "m=video 0 RTP/AVP 96\r\n",
			"sendonly": strings.Replace(body(4000), "sendrecv", "sendonly", 1),
		}[name]
		t.Run(name, func(t *testing.T) {
			q := Request{Command: Offer, CallID: fmt.Sprintf("same-%d", i), FromTag: "f", SDP: in,
				Flags: Flags{ReplaceOrigin: true, ICE: ICERemove, Direction: [2]string{"pub", "priv"}}}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			r, _, err := c.Place(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			var before, theirs, ours sdp.Description
			for d, text := range map[*sdp.Description]string{&before: in, &theirs: r.SDP} {
				if f := d.Scan([]byte(text)); f != sdp.FaultNone {
					t.Fatalf("%v:\n%s", f, text)
				}
			}
			rewrite := sdp.Rewrite{Origin: netip.MustParseAddr("127.0.0.2"), ICE: sdp.ICERemove}
			for i := range theirs.Media {
				rtp, rtcp := theirs.Endpoint(i)
				rewrite.Media = append(rewrite.Media, sdp.Endpoint{Addr: rtp.Addr(), RTP: rtp.Port(), RTCP: rtcp.Port()})
			}
			text := before.Append(nil, &rewrite)
			if f := ours.Scan(text); f != sdp.FaultNone || len(ours.Media) != len(theirs.Media) || ours.Origin.Addr != theirs.Origin.Addr {
				t.Fatalf("%v: we\n%s\nrtpengine\n%s", f, text, r.SDP)
			}
			for i := range ours.Media {
				rtp, rtcp := ours.Endpoint(i)
				theirRTP, theirRTCP := theirs.Endpoint(i)
				if rtp != theirRTP || rtcp != theirRTCP || ours.Held(i) != theirs.Held(i) || ours.Media[i].Port != theirs.Media[i].Port {
					t.Errorf("media %d: we %v %v, rtpengine %v %v\n%s", i, rtp, rtcp, theirRTP, theirRTCP, r.SDP)
				}
			}
		})
	}
}
