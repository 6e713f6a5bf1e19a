//go:build interop

package interop

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// An edge without a dark core records what it would have mirrored, sealed; later the calls of the file are played to one and
// compared. Nothing of a caller stands in the file, and a dark core that is busy is found out.
func TestShadowReplay(t *testing.T) {
	const calls = 20
	const callee = "front-desk" // never by chance in base64, as three letters were
	dir := t.TempDir()
	legacy := startSipp(t, dir, "legacy", "uas.xml", patient...)
	file := filepath.Join(dir, "recorded")
	r := newRigFor(t, site{legacy: []string{legacy.addr}, core: []string{freeAddr(t)}, edges: 1, flags: []string{"--record", file}})
	e := r.edges[0]
	r.must("shadow", "start", "acme", "--wait", "30s")
	caller := startSipp(t, dir, "caller", "uac.xml", e.outside, "-s", callee, "-key", "domain", realm, "-r", "20", "-m", strconv.Itoa(calls), "-d", "300")
	if code := caller.wait(t, time.Minute); code != 0 {
		t.Fatalf("calls failed: sipp says %d", code)
	}
	var text []byte
	await(t, 60*time.Second, "the calls in the file", func() bool {
		text, _ = os.ReadFile(file)
		return strings.Count(string(text), "\n") >= calls
	})
	for _, secret := range []string{callee, "sip:", "INVITE ", legacy.addr} {
		if strings.Contains(string(text), secret) {
			t.Errorf("%q stands in the recording", secret)
		}
	}

	// The edge of the replay is the same with a dark core, and is not running.
	dark, sink := darkAddrs(t)
	startDark(t, dark, func(d *darkUA, from net.Addr, raw string) {
		if m := readMessage(raw, ""); m.method() != "" && m.method() != "ACK" {
			d.reply(from, m, map[bool]string{true: "486 Busy Here", false: "200 OK"}[m.method() == "INVITE"], "dark", unchanged)
		}
	})
	config, err := os.ReadFile(e.config)
	if err != nil {
		t.Fatal(err)
	}
	later := strings.Replace(string(config), "platforms:", "  - {name: sink, side: shadow, transport: udp, address: \""+sink+"\"}\nplatforms:", 1)
	core := strings.Index(later, "  core: {")
	end := core + strings.Index(later[core:], "}\n")
	later = later[:end] + ", dark: [" + darkCore(dark, "9.9") + "]" + later[end:]
	var x struct {
		Data struct {
			Calls, Compared int
			Severities      map[string]int
			Missing         map[string]int
		}
	}
	out := r.must("shadow", "replay", file, "--to", "core", "--config", r.write("later.yaml", later), "-o", "json")
	if err := json.Unmarshal([]byte(out), &x); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if d := x.Data; d.Calls != calls || d.Compared != calls || d.Severities["critical"] != calls {
		t.Errorf("%+v, want %d calls, all compared and all critical", d, calls)
	}
}
