//go:build bench

package bench

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
)

// A contestant stands between SIPp's callers at addr and the callee. It runs from the first round to the last.
type contestant struct {
	name   string
	addr   string
	proc   *process // nil: none, callers call the callee itself
	rounds []round
	memory int64 // bytes resident with the calls of the memory round
	failed int   // of the calls of the memory round
}

const tenants = 10_000

// startHotcut runs a build of the edge as it is shipped: its own GOGC and GOMEMLIMIT, metrics served, call records written,
// 10,000 tenants in the policy. under is a command that runs it: taskset.
func startHotcut(t *testing.T, name, binary, callee, probe string, under ...string) *contestant {
	t.Helper()
	s := site{policy: provider(t, policy.StageCore, policy.Pools{}), platforms: fmt.Sprintf(`  legacy: {targets: [{name: l1, uri: "sip:%s"}], sources: ["%[1]s"]}
  core: {targets: [{name: c1, uri: "sip:%s"}], sources: ["%[2]s"]}
`, callee, probe)}
	return s.start(t, name, binary, under...)
}

// site is what an edge of the benchmark stands before.
type site struct {
	policy    *policy.Snapshot
	listeners string // lines of the configuration: listeners beside the outside and the inside one
	platforms string // and those under "platforms"

	// Set by start.
	hotcut  func(args ...string) []byte // runs a command with the edge's policy
	metrics string                      // address
}

func (s *site) start(t *testing.T, name, binary string, under ...string) *contestant {
	t.Helper()
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	var b bytes.Buffer
	if err := s.policy.Encode(&b); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file("policy.jsonl"), b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	s.hotcut = func(args ...string) []byte {
		t.Helper()
		cmd := exec.Command(binary, args...)
		cmd.Env = append(os.Environ(), "HOTCUT_STORE=file://"+file("policy"), "HOME="+dir, "XDG_CACHE_HOME="+dir, "XDG_CONFIG_HOME="+dir)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("hotcut %s: %v\n%s%s", strings.Join(args, " "), err, out, errs.Bytes())
		}
		return out
	}
	s.hotcut("policy", "import", "--new", file("policy.jsonl"), "--yes")
	if err := os.WriteFile(file("keys"), append(s.hotcut("keys", "new"), s.hotcut("keys", "new", "--binding")...), 0o600); err != nil {
		t.Fatal(err)
	}
	outside, inside := freeAddr(t), freeAddr(t)
	s.metrics = freeAddr(t)
	conf := fmt.Sprintf(`node: bench
store: file://%s
names: [acme.example]
state: %s
keys: %s
listen:
  - {name: out, side: outside, transport: udp, address: "%s"}
  - {name: in, side: inside, transport: udp, address: "%s"}
%splatforms:
%sadmin: {socket: %s, metrics: "%s"}
# All callers share one address, which is no phone's.
limits: {sourceRate: 100000, sourceBurst: 100000, exemptRate: 100000, exemptBurst: 100000, knownRate: 100000, knownBurst: 100000}
`, file("policy"), file("state"), file("keys"), outside, inside, s.listeners, s.platforms, file("admin.sock"), s.metrics)
	if err := os.WriteFile(file("edge.yaml"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &contestant{name: name, addr: outside, proc: start(t, dir, "edge", nil, append(under, binary, "edge", "--config", file("edge.yaml"))...)}
	await(t, 20*time.Second, name+" to be ready", func() bool {
		select {
		case <-c.proc.done:
			t.Fatalf("%s ended:\n%s", name, c.proc.said())
		default:
		}
		_, err := os.Stat(file("admin.sock"))
		return err == nil
	})
	return c
}

// provider is a policy of 10,000 tenants and the two that call, of which the prober's has a stage and a pool.
func provider(t *testing.T, stage policy.Stage, pool policy.Pools) *policy.Snapshot {
	t.Helper()
	const salt = "00112233445566778899aabbccddeeff"
	list := make([]*policy.Tenant, 0, tenants+2)
	for i := range tenants {
		id := fmt.Sprintf("t%05d", i)
		list = append(list, &policy.Tenant{ID: id, Domains: []string{id + ".example"}, Numbers: []string{fmt.Sprintf("+1303%05d", i)}, Salt: salt, HashVer: 1})
	}
	list = append(list, &policy.Tenant{ID: "acme", Domains: []string{"acme.example"}, Salt: salt, HashVer: 1},
		&policy.Tenant{ID: "probe", Domains: []string{"probe.example"}, Stage: stage, Pool: pool, Salt: salt, HashVer: 1})
	s, err := policy.NewSnapshot(policy.Head{Epoch: "bench", Rev: 1}, policy.Globals{Default: "legacy", Halt: policy.HaltNone}, list)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func startKamailio(t *testing.T, callee, probe string) *contestant {
	t.Helper()
	bin, err := exec.LookPath("kamailio")
	if err != nil {
		t.Fatal("kamailio is not installed: apt-get install kamailio")
	}
	dir, addr := t.TempDir(), freeAddr(t)
	c := &contestant{name: "kamailio", addr: addr}
	c.proc = start(t, dir, "kamailio", nil, bin, "-DD", "-E", "-f", repository(t, "testdata", "kamailio", "bench.cfg"), "-w", dir, "-Y", dir,
		"-m", "512", "-M", "16", "-l", "udp:"+addr, "-A", fmt.Sprintf("CALLEE=%q", "sip:"+callee), "-A", fmt.Sprintf("PROBE=%q", "sip:"+probe))
	return c
}

func startForwarder(t *testing.T, callee, probe string) (calls *contestant, probes string) {
	t.Helper()
	outer, second := freeAddr(t), freeAddr(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	pairs := fmt.Sprintf("%s %s %s,%s %s %s", outer, freeAddr(t), callee, second, freeAddr(t), probe)
	c := &contestant{name: "forwarder", addr: outer}
	c.proc = start(t, t.TempDir(), "forwarder", []string{forwardEnv + "=" + pairs}, self)
	return c, second
}
