package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// good is a configuration with everything that this build can do, in a fresh directory.
func good(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	keys := filepath.Join(dir, "keys")
	if err := os.WriteFile(keys, []byte("# signer first\n"+MintKeyLine()+"\n"+MintKeyLine()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("DIR", dir).Replace(goodYAML)
}

const goodYAML = `node: edge-1
store: redis://127.0.0.1:6379/0
names: [sip.provider.example, 192.0.2.10]
via: edge.inside
state: DIR
keys: DIR/keys
listen:
  - {name: out-udp, side: outside, transport: udp, address: "192.0.2.10:5060", readers: 2}
  - {name: out-six, side: outside, address: "[2001:db8::10]:5060"}
  - {name: in-udp, side: inside, address: "10.0.0.10:5070", advertise: edge-1.inside}
  - {name: in-tcp, side: inside, transport: tcp, address: "10.0.0.10:5070"}
  - {name: in-ca, side: inside, address: "10.0.0.11:5070"}
  - {name: own, side: own, address: "10.0.0.12:5070"}
platforms:
  legacy:
    targets:
      - {name: l1, uri: "sip:10.0.1.5:5060;transport=udp", pool: main, keep: none}
      - {name: l2, uri: "sip:10.0.1.6", timerB: 4s}
    sources: [10.0.1.0/24]
  core:
    targets: [{name: c1, uri: "sip:10.0.2.5;transport=tcp", pool: cell-1, sharedDialogs: true}]
    sources: [10.0.2.0/25, "10.0.9.9:5080"]
carriers:
  - {name: carrier-a, uri: "sip:198.51.100.1", sources: [198.51.100.0/28], trusted: true, numberFormat: "national:44", egress: in-ca}
media: {engine: none}
admin: {socket: DIR/edge.sock, metrics: "127.0.0.1:0"}
limits: {headers: 64}
timers: {t1: 250ms}
bootDefault: legacy
log: {level: debug, format: text}
logNumbers: false
`

func TestGoodResolves(t *testing.T) {
	c, err := ParseYAML([]byte(good(t)))
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	if l := r.Listeners[2]; l.Advertise != "edge-1.inside:5070" || l.Side != Inside || l.Proto != UDP || l.Readers != 1 || l.Egress {
		t.Errorf("in-udp: %+v", l)
	}
	if l := r.Listeners[1]; l.Advertise != "[2001:db8::10]:5060" || l.AdvertiseHost != "2001:db8::10" {
		t.Errorf("out-six: %+v", l)
	}
	if !r.Listeners[4].Egress || r.Carriers[0].Egress != 4 || r.Carriers[0].Listener != 0 {
		t.Errorf("egress: %+v %+v", r.Listeners[4], r.Carriers[0])
	}
	var hops []string
	for _, h := range r.NextHops {
		hops = append(hops, strings.Join([]string{h.Platform.String(), h.Pool, h.Name, string(h.Proto), h.Addr.String(), r.Listeners[h.Listener].Name, h.TimerB.String()}, " "))
	}
	want := "legacy main l1 udp 10.0.1.5:5060 in-udp 0s, legacy main l2 udp 10.0.1.6:5060 in-udp 4s, core cell-1 c1 tcp 10.0.2.5:5060 in-tcp 0s"
	if got := strings.Join(hops, ", "); got != want {
		t.Errorf("hops:\n got %s\nwant %s", got, want)
	}
	if n := r.Networks[2]; n.Prefix.String() != "10.0.9.9/32" || n.Port != 5080 || n.Platform != CorePlatform || len(n.Listeners) != 3 {
		t.Errorf("network: %+v", n)
	}
	if _, ok := r.Names["sip.provider.example"]; !ok || len(r.Names) != 2 {
		t.Errorf("names: %v", r.Names)
	}
	if _, ok := r.Addresses["edge-1.inside:5070"]; !ok {
		t.Errorf("addresses: %v", r.Addresses)
	}
	if c.Limits.Headers != 64 || c.Limits.URI != 1024 || c.Timers.T1.String() != "250ms" {
		t.Errorf("not merged over the defaults: %+v %+v", c.Limits, c.Timers)
	}
	if w := c.Warnings(); len(w) != 0 {
		t.Errorf("warnings: %q", w)
	}
}
