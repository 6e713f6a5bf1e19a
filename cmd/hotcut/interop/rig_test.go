//go:build interop

package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"text/template"
	"time"

	"github.com/hotcut/hotcut/policy/redisstore/redistest"
	"github.com/hotcut/hotcut/proxy/admin"
	"github.com/hotcut/hotcut/proxy/callrecord"
)

var binary string // the program under test, built once

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "hotcut-interop")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "hotcut")
	build := exec.Command("go", "build", "-o", binary, "github.com/hotcut/hotcut/cmd/hotcut")
	build.Stderr = os.Stderr
	code := 1
	if err := build.Run(); err == nil {
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// rig is a small provider: Redis, two platforms, some edges, one tenant.
type rig struct {
	t     *testing.T
	dir   string
	redis *redistest.Server
	edges []*edge
	sinks []string // listeners of side shadow, by edge
}

// site is the world that a rig's edges are configured for.
type site struct {
	// The targets of each platform, as address:port or address:port;transport=tcp. What runs there is the test's.
	legacy, core []string
	edges        int           // how many
	probe        time.Duration // between two OPTIONS to a target; 0: the edge's default
	// More keys of each target of a platform, such as "keep: trust, registerRate: 200".
	legacyHow, coreHow string
	own                []string // addresses of the edges' own listeners, by edge; none: they have none
	secrets            string   // the text of the secrets file; empty: none
	relays             bool     // the edges relay media, each at addresses of its own
	media              string   // the edges' media section, in one line; empty: none
	sinks              []string // addresses of the edges' listeners of side shadow, by edge; none: they have none
	dark               string   // the dark cores, each as in the configuration, with commas between them
	flags              []string // more flags of `hotcut edge`
}

// newRig has two edges and one target on each platform.
func newRig(t *testing.T, legacy, core string) *rig {
	return newRigFor(t, site{legacy: []string{legacy}, core: []string{core}, edges: 2})
}

func newRigFor(t *testing.T, w site) *rig {
	r := &rig{t: t, dir: t.TempDir(), sinks: w.sinks, redis: redistest.Start(t)}
	r.write("keys", r.must("keys", "new")+r.must("keys", "new", "--binding"))
	if w.secrets != "" {
		r.write("secrets", w.secrets)
	}
	for i := range w.edges {
		r.edges = append(r.edges, r.newEdge(i, w))
	}
	r.must("init")
	r.must("tenant", "add", "acme", "--domain", "acme.example", "--yes")
	var cli strings.Builder
	fmt.Fprintf(&cli, "store: %s\nedges:\n", r.redis.URL())
	for _, e := range r.edges {
		fmt.Fprintf(&cli, "  - {name: %s, admin: \"unix://%s\"}\n", e.name, e.socket)
	}
	r.write("cli.yaml", cli.String())
	for _, e := range r.edges {
		e.start()
	}
	return r
}

func (r *rig) write(name, text string) string {
	p := filepath.Join(r.dir, name)
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return p
}

// run types a command and returns its exit code and what it said.
func (r *rig) run(args ...string) (code int, stdout, stderr string) {
	cmd := exec.Command(binary, args...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	cmd.Env = append(os.Environ(), "HOTCUT_STORE="+r.redis.URL(), "XDG_CACHE_HOME="+r.dir, "XDG_CONFIG_HOME="+r.dir, "HOME="+r.dir)
	if _, err := os.Stat(filepath.Join(r.dir, "cli.yaml")); err == nil {
		cmd.Args = append(cmd.Args, "--cli-config", filepath.Join(r.dir, "cli.yaml"))
	}
	err := cmd.Run()
	if exit, ok := err.(*exec.ExitError); ok {
		return exit.ExitCode(), o.String(), e.String()
	} else if err != nil {
		r.t.Fatal(err)
	}
	return 0, o.String(), e.String()
}

// must runs a command that has to succeed.
func (r *rig) must(args ...string) string {
	r.t.Helper()
	code, out, errs := r.run(args...)
	if code != 0 {
		r.t.Fatalf("hotcut %s: exit %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

// edge is a child process that can be killed and started again on the same ports.
type edge struct {
	r       *rig
	name    string
	config  string
	socket  string
	outside string
	inside  string
	state   string
	flags   []string
	cmd     *exec.Cmd
	done    chan struct{}
	client  *admin.Client
}

var edgeConfig = template.Must(template.New("").Parse(`node: {{.Name}}
store: {{.Store}}
names: [acme.example]
state: {{.State}}
keys: {{.Keys}}
{{with .Secrets}}secrets: {{.}}
{{end}}listen:
  - {name: out, side: outside, transport: udp, address: "{{.Outside}}"}
  - {name: out-tcp, side: outside, transport: tcp, address: "{{.Outside}}"}
  - {name: in, side: inside, transport: udp, address: "{{.Inside}}"}
  - {name: in-tcp, side: inside, transport: tcp, address: "{{.Inside}}"}
{{with .Own}}  - {name: own, side: own, transport: udp, address: "{{.}}"}
{{end}}{{with .Sink}}  - {name: sink, side: shadow, transport: udp, address: "{{.}}"}
{{end}}platforms:
  legacy: {targets: [{{.Legacy}}], sources: [{{.LegacySources}}]}
  core: {targets: [{{.Core}}], sources: [{{.CoreSources}}]{{with .Dark}}, dark: [{{.}}]{{end}}}
admin: {socket: {{.Socket}}, metrics: ""}
{{with .Media}}media: {{.}}
{{end}}limits: {sourceRate: 10000, sourceBurst: 10000, exemptRate: 10000, exemptBurst: 10000, wait: 10s} # the machine may be as busy as may be
{{with .Probe}}timers: {probe: {{.}}}
{{end}}`))

// listed writes targets as the edge's configuration has them (l1, l2 or c1, c2), and the sources that they stand for.
func listed(letter string, targets []string, how string) (list, sources string) {
	var l, s []string
	for i, to := range targets {
		addr, _, _ := strings.Cut(to, ";")
		more := ""
		if how != "" {
			more = ", " + how
		}
		l = append(l, fmt.Sprintf("{name: %s%d, uri: %q%s}", letter, i+1, "sip:"+to, more))
		s = append(s, strconv.Quote(addr))
	}
	return strings.Join(l, ", "), strings.Join(s, ", ")
}

func (r *rig) newEdge(i int, w site) *edge {
	name := fmt.Sprintf("edge-%d", i+1)
	e := &edge{r: r, name: name, flags: w.flags, socket: filepath.Join(r.dir, name+".sock"), outside: freeAddr(r.t), inside: freeAddr(r.t),
		state: filepath.Join(r.dir, name)}
	conf := map[string]any{"Name": name, "Store": r.redis.URL(), "State": e.state, "Keys": filepath.Join(r.dir, "keys"),
		"Outside": e.outside, "Inside": e.inside, "Socket": e.socket, "Probe": w.probe, "Media": w.media}
	conf["Dark"] = w.dark
	if len(w.sinks) > 0 {
		conf["Sink"] = w.sinks[i]
	}
	conf["Legacy"], conf["LegacySources"] = listed("l", w.legacy, w.legacyHow)
	conf["Core"], conf["CoreSources"] = listed("c", w.core, w.coreHow)
	if len(w.own) > 0 {
		conf["Own"] = w.own[i]
	}
	if w.secrets != "" {
		conf["Secrets"] = filepath.Join(r.dir, "secrets")
	}
	if w.relays {
		conf["Media"] = fmt.Sprintf("{engine: embedded, outside: %s, inside: %s}", sideAddr(10+2*i), sideAddr(11+2*i))
	}
	var b bytes.Buffer
	err := edgeConfig.Execute(&b, conf)
	if err != nil {
		r.t.Fatal(err)
	}
	e.config = r.write(name+".yaml", b.String())
	e.client, err = admin.Dial("unix://" + e.socket)
	if err != nil {
		r.t.Fatal(err)
	}
	return e
}

func (e *edge) start() {
	e.r.t.Helper()
	log, err := os.OpenFile(filepath.Join(e.r.dir, e.name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		e.r.t.Fatal(err)
	}
	e.cmd = exec.Command(binary, append([]string{"edge", "--config", e.config}, e.flags...)...)
	e.cmd.Stdout, e.cmd.Stderr = log, log
	if err := e.cmd.Start(); err != nil {
		e.r.t.Fatal(err)
	}
	log.Close()
	done := make(chan struct{})
	go func(c *exec.Cmd) { c.Wait(); close(done) }(e.cmd)
	e.done = done
	e.r.t.Cleanup(func() {
		select {
		case <-done:
			return
		default:
		}
		e.cmd.Process.Signal(syscall.SIGCONT)
		e.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			e.cmd.Process.Kill()
			e.r.t.Errorf("%s did not stop", e.name)
			<-done
		}
		if e.r.t.Failed() {
			text, _ := os.ReadFile(filepath.Join(e.r.dir, e.name+".log"))
			e.r.t.Logf("%s said:\n%s", e.name, text[max(0, len(text)-4000):])
		}
	})
	await(e.r.t, 20*time.Second, e.name+" to be ready", func() bool {
		select {
		case <-done:
			text, _ := os.ReadFile(filepath.Join(e.r.dir, e.name+".log"))
			e.r.t.Fatalf("%s ended:\n%s", e.name, text)
		default:
		}
		return e.client.Ready(context.Background()) == nil
	})
}

func (e *edge) kill() {
	e.cmd.Process.Kill()
	<-e.done
}

func (e *edge) stateNow() admin.State {
	e.r.t.Helper()
	s, err := e.client.State(context.Background())
	if err != nil {
		e.r.t.Fatalf("%s: %v", e.name, err)
	}
	return s
}

// records reads the call records from the edge's disk; of a call it keeps the last.
func (e *edge) records() map[string]callrecord.Record {
	m := map[string]callrecord.Record{}
	for _, rec := range e.log() {
		m[rec.CallID] = rec
	}
	return m
}

// log is all call records on the edge's disk, oldest first: a call has several.
func (e *edge) log() (all []callrecord.Record) {
	files, _ := filepath.Glob(filepath.Join(e.state, "calls", "*"))
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			e.r.t.Fatal(err)
		}
		for line := range bytes.Lines(b) {
			var rec callrecord.Record
			if json.Unmarshal(line, &rec) == nil && rec.CallID != "" {
				all = append(all, rec)
			}
		}
	}
	return all
}

// ended waits for the record of a call that is over.
func (e *edge) ended(callID string) callrecord.Record {
	e.r.t.Helper()
	var rec callrecord.Record
	await(e.r.t, 5*time.Second, "the record of "+callID, func() bool {
		rec = e.records()[callID]
		return rec.End != 0
	})
	return rec
}

// home is a loopback address of this process's own: other packages' tests run side by side, and none of them, nor a
// connection that leaves by a port of the kernel's choice, can take a port that we gave to a server.
var home = fmt.Sprintf("127.%d.%d.1", 32+os.Getpid()>>8&127, os.Getpid()&255)

var nextPort atomic.Int32

// freeAddr is an address of home that nobody has had yet, free by UDP and by TCP.
func freeAddr(t testing.TB) string {
	t.Helper()
	return freeAddrOf(t, home)
}

// freeAddrOf is the same of another address of this process's own, such as a sideAddr.
func freeAddrOf(t testing.TB, ip string) string {
	t.Helper()
	for range 1000 {
		addr := fmt.Sprintf("%s:%d", ip, 10000+nextPort.Add(1))
		c, err := net.ListenPacket("udp", addr)
		if err != nil {
			continue
		}
		c.Close()
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		l.Close()
		return addr
	}
	t.Fatal("no port is free by UDP and TCP at " + ip)
	return ""
}

func await(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %s in vain for %s", limit, what)
		}
	}
}
