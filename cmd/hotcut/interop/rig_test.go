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
}

// site is the world that a rig's edges are configured for.
type site struct {
	// The targets of each platform, as address:port or address:port;transport=tcp. What runs there is the test's.
	legacy, core []string
	edges        int           // how many
	probe        time.Duration // between two OPTIONS to a target; 0: the edge's default
}

// newRig has two edges and one target on each platform.
func newRig(t *testing.T, legacy, core string) *rig {
	return newRigFor(t, site{legacy: []string{legacy}, core: []string{core}, edges: 2})
}

func newRigFor(t *testing.T, w site) *rig {
	r := &rig{t: t, dir: t.TempDir(), redis: redistest.Start(t)}
	key := r.must("keys", "new")
	r.write("keys", key)
	for i := range w.edges {
		r.edges = append(r.edges, r.newEdge(fmt.Sprintf("edge-%d", i+1), w))
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
	cmd     *exec.Cmd
	done    chan struct{}
	client  *admin.Client
}

var edgeConfig = template.Must(template.New("").Parse(`node: {{.Name}}
store: {{.Store}}
names: [acme.example]
state: {{.State}}
keys: {{.Keys}}
listen:
  - {name: out, side: outside, transport: udp, address: "{{.Outside}}"}
  - {name: in, side: inside, transport: udp, address: "{{.Inside}}"}
  - {name: in-tcp, side: inside, transport: tcp, address: "{{.Inside}}"}
platforms:
  legacy: {targets: [{{.Legacy}}], sources: [{{.LegacySources}}]}
  core: {targets: [{{.Core}}], sources: [{{.CoreSources}}]}
admin: {socket: {{.Socket}}, metrics: ""}
limits: {sourceRate: 10000, sourceBurst: 10000, exemptRate: 10000, exemptBurst: 10000}
{{with .Probe}}timers: {probe: {{.}}}
{{end}}`))

// listed writes targets as the edge's configuration has them (l1, l2 or c1, c2), and the sources that they stand for.
func listed(letter string, targets []string) (list, sources string) {
	var l, s []string
	for i, to := range targets {
		addr, _, _ := strings.Cut(to, ";")
		l = append(l, fmt.Sprintf("{name: %s%d, uri: %q}", letter, i+1, "sip:"+to))
		s = append(s, strconv.Quote(addr))
	}
	return strings.Join(l, ", "), strings.Join(s, ", ")
}

func (r *rig) newEdge(name string, w site) *edge {
	e := &edge{r: r, name: name, socket: filepath.Join(r.dir, name+".sock"), outside: freeAddr(r.t), inside: freeAddr(r.t),
		state: filepath.Join(r.dir, name)}
	conf := map[string]any{"Name": name, "Store": r.redis.URL(), "State": e.state, "Keys": filepath.Join(r.dir, "keys"),
		"Outside": e.outside, "Inside": e.inside, "Socket": e.socket, "Probe": w.probe}
	conf["Legacy"], conf["LegacySources"] = listed("l", w.legacy)
	conf["Core"], conf["CoreSources"] = listed("c", w.core)
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
	e.cmd = exec.Command(binary, "edge", "--config", e.config)
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
	files, _ := filepath.Glob(filepath.Join(e.state, "calls", "*"))
	m := map[string]callrecord.Record{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			e.r.t.Fatal(err)
		}
		for line := range bytes.Lines(b) {
			var rec callrecord.Record
			if json.Unmarshal(line, &rec) == nil && rec.CallID != "" {
				m[rec.CallID] = rec
			}
		}
	}
	return m
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
	for range 1000 {
		addr := fmt.Sprintf("%s:%d", home, 10000+nextPort.Add(1))
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
	t.Fatal("no port is free by UDP and TCP at " + home)
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

// sipp is one SIPp process.
type sipp struct {
	addr string
	log  string
	errs string
	cmd  *exec.Cmd
	done chan error
}

func startSipp(t *testing.T, dir, name, scenario string, args ...string) *sipp {
	t.Helper()
	if _, err := exec.LookPath("sipp"); err != nil {
		t.Fatal("sipp is not installed: apt-get install sip-tester")
	}
	s := &sipp{addr: freeAddr(t), log: filepath.Join(dir, name+".msg"), errs: filepath.Join(dir, name+".err"), done: make(chan error, 1)}
	_, port, _ := net.SplitHostPort(s.addr)
	file, err := filepath.Abs(filepath.Join("..", "..", "..", "testdata", "sipp", scenario))
	if err != nil {
		t.Fatal(err)
	}
	s.cmd = exec.Command("sipp", append(args, "-sf", file, "-i", home, "-p", port, "-nostdin", "-buff_size", "4000000",
		"-trace_shortmsg", "-shortmessage_file", s.log, "-trace_err", "-error_file", s.errs)...)
	s.cmd.Dir = dir
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.done <- s.cmd.Wait() }()
	t.Cleanup(func() {
		s.cmd.Process.Kill()
		if errs, _ := os.ReadFile(s.errs); t.Failed() {
			n := 0
			for part := range strings.SplitSeq(string(errs), "\n'") {
				if strings.Contains(part, "Aborting call") && !strings.Contains(part, "probe-") && n < 3 {
					n++
					t.Logf("sipp %s said: %s", name, part)
				}
			}
		}
	})
	return s
}

// wait returns SIPp's exit code: 0 when every call succeeded.
func (s *sipp) wait(t *testing.T, limit time.Duration) int {
	t.Helper()
	select {
	case err := <-s.done:
		if exit, ok := err.(*exec.ExitError); ok {
			return exit.ExitCode()
		}
		return 0
	case <-time.After(limit):
		t.Fatalf("sipp did not end in %s", limit)
		return -1
	}
}

// trace is what a SIPp saw of one call.
type trace struct {
	id     string
	invite time.Time // first INVITE
	final  time.Time // first final response to it
	bye    time.Time
	byeOK  bool
	other  []string
}

// traces reads SIPp's short message log: date, time, epoch, S or R, Call-ID, CSeq, first line.
func (s *sipp) traces(t *testing.T) map[string]*trace {
	t.Helper()
	b, err := os.ReadFile(s.log)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]*trace{}
	for line := range strings.Lines(string(b)) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		if len(f) < 7 || strings.HasPrefix(f[4], "probe-") { // the edges' own OPTIONS
			continue
		}
		epoch, err := strconv.ParseFloat(f[2], 64)
		if err != nil {
			continue
		}
		at := time.UnixMicro(int64(epoch * 1e6))
		x := m[f[4]]
		if x == nil {
			x = &trace{id: f[4]}
			m[f[4]] = x
		}
		switch {
		case strings.HasPrefix(f[6], "INVITE ") && x.invite.IsZero():
			x.invite = at
		case strings.HasPrefix(f[6], "BYE ") && x.bye.IsZero():
			x.bye = at
		case strings.HasPrefix(f[6], "SIP/2.0 ") && f[6][8] >= '2' && strings.HasSuffix(f[5], "INVITE") && x.final.IsZero():
			x.final = at
			if f[6][8] != '2' {
				x.other = append(x.other, f[6])
			}
		case strings.HasPrefix(f[6], "SIP/2.0 200") && strings.HasSuffix(f[5], "BYE"):
			x.byeOK = true
		}
	}
	return m
}

// patient callees go on when an INVITE is repeated after their 200: see uas.xml.
var patient = []string{"-default_behaviors", "all,-abortunexp"}
