//go:build bench

package bench

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/hotcut/hotcut/media/ng"
	"github.com/hotcut/hotcut/media/sdp"
)

const (
	mediaWarm = time.Second
	mediaLong = 5 * time.Second
	patience  = 5 * time.Minute // for the machine to be quiet before the rounds with one number of calls, all in all
)

var mediaCalls = []int{100, 400, 800}

// mediaRelay is a contestant: a child process that is commanded by NG. Both run from the first round to the last, and the
// one whose turn it is not has no calls.
type mediaRelay struct {
	name   string
	ng     netip.AddrPort
	proc   *process // nil: none; the parties send to each other
	rounds map[int][]mediaRound
}

// mediaRound is what one contestant did with n calls.
type mediaRound struct {
	heard
	cpu      float64 // microseconds per packet that was relayed
	others   float64 // processors that were busy with neither us nor the contestant
	resident int64
}

// TestMedia measures our relay beside rtpengine without its kernel module, both as child processes, with both directions
// of n calls at 50 packets a second. BENCH_MEDIA_ROUNDS changes how often.
func TestMedia(t *testing.T) {
	rounds := 5
	if s := os.Getenv("BENCH_MEDIA_ROUNDS"); s != "" {
		var err error
		if rounds, err = strconv.Atoi(s); err != nil || rounds < 1 {
			t.Fatalf("BENCH_MEDIA_ROUNDS=%s", s)
		}
	}
	goFirst(t)
	k := newTalkers(t, sideOf(4), sideOf(5))
	direct := &mediaRelay{name: "no relay", rounds: map[int][]mediaRound{}}
	ours, theirs := startMediaNode(t), startRTPEngine(t)
	client := newNG(t, ours.ng, theirs.ng)
	for _, n := range mediaCalls {
		until := time.Now().Add(patience)
		for i, quiet := 0, 0; quiet < rounds && i < 3*rounds; i++ {
			awaitQuiet(t, until)
			trio := []*mediaRelay{ours, theirs, direct}
			if i%2 == 1 {
				slices.Reverse(trio)
			}
			for _, c := range trio {
				c.round(t, k, client, n)
			}
			if direct.quiet(n, i) && ours.quiet(n, i) && theirs.quiet(n, i) {
				quiet++
			}
		}
		keepQuiet(n, ours, theirs, direct)
	}
	var b bytes.Buffer
	mediaTable(&b, direct, ours, theirs)
	fmt.Println(b.String())
	for _, n := range mediaCalls {
		if r := ratioOf(ours, theirs, n); r > 1 {
			t.Errorf("%d calls: %.2f times the CPU per packet of rtpengine", n, r)
		}
		if a, b := ours.lost(n), theirs.lost(n); a > b && a > 0.0001 {
			t.Errorf("%d calls: %.4f %% lost, and %.4f %% by rtpengine", n, 100*a, 100*b)
		}
	}
}

// quiet: in round i the load generator kept up, and the machine had little else to do. Others run on it too, and what they
// take is nobody's figure.
func (c *mediaRelay) quiet(n, i int) bool {
	r := &c.rounds[n][i]
	return r.own == 0 && r.late == 0 && r.others < 0.4
}

// awaitQuiet returns when the machine has had little to do for two seconds, or at the end of patience.
func awaitQuiet(t *testing.T, until time.Time) {
	const look = 2 * time.Second
	for time.Now().Before(until) {
		before := machineBusy(t)
		time.Sleep(look)
		if float64(machineBusy(t)-before) < 0.3*float64(look) {
			return
		}
	}
}

const enough = 3 // rounds

// keepQuiet leaves out the rounds that were not quiet for all, if enough remain; else all stay.
func keepQuiet(n int, all ...*mediaRelay) {
	kept := make([][]mediaRound, len(all))
	rounds := len(all[0].rounds[n])
	for i := range rounds {
		if slices.ContainsFunc(all, func(c *mediaRelay) bool { return !c.quiet(n, i) }) {
			continue
		}
		for j, c := range all {
			kept[j] = append(kept[j], c.rounds[n][i])
		}
	}
	for j, c := range all {
		if len(kept[0]) >= min(enough, rounds) {
			c.rounds[n] = kept[j]
		}
	}
	fmt.Printf("%d calls: %d of %d rounds were quiet\n", n, len(kept[0]), rounds)
}

// sideOf is another address of this process's own /24.
func sideOf(last int) string { return strings.TrimSuffix(home, ".1") + "." + strconv.Itoa(last) }

func startMediaNode(t *testing.T) *mediaRelay {
	t.Helper()
	c := &mediaRelay{name: "hotcut media", ng: netip.MustParseAddrPort(freeAddr(t)), rounds: map[int][]mediaRound{}}
	dir := t.TempDir()
	// As it is shipped: with its journal, so that calls survive it.
	c.proc = start(t, dir, "media", nil, "nice", "-n", strconv.Itoa(priority), binary, "media", "--listen-ng", c.ng.String(), "--outside", "pub/"+sideOf(2), "--inside", "priv/"+sideOf(3),
		"--state", dir+"/state", "--ports", "20000-39999", "--allow", "127.0.0.0/8")
	return c
}

func startRTPEngine(t *testing.T) *mediaRelay {
	t.Helper()
	bin, err := exec.LookPath("rtpengine")
	if err != nil {
		t.Fatal("rtpengine is not installed: apt-get install rtpengine-daemon")
	}
	c := &mediaRelay{name: "rtpengine", ng: netip.MustParseAddrPort(freeAddr(t)), rounds: map[int][]mediaRound{}}
	c.proc = start(t, t.TempDir(), "rtpengine", nil, "nice", "-n", strconv.Itoa(priority), bin, "--config-file=none", "--table=-1", "--interface=pub/"+sideOf(6), "--interface=priv/"+sideOf(7),
		"--listen-ng="+c.ng.String(), "-m", "20000", "-M", "39999", "--delete-delay=0", "--foreground", "--log-stderr", "--log-level=3")
	return c
}

// newNG is a client of both, running.
func newNG(t *testing.T, servers ...netip.AddrPort) *ng.Client {
	t.Helper()
	client, err := ng.NewClient(ng.ClientConfig{Servers: servers})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- client.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	await(t, 20*time.Second, "both relays to answer", func() bool {
		for _, h := range client.Health() {
			if !h.Up || h.RTT == 0 {
				return false
			}
		}
		return true
	})
	return client
}

// round sets calls up, lets them talk and ends them.
func (c *mediaRelay) round(t *testing.T, k *talkers, client *ng.Client, n int) {
	t.Helper()
	calls := make([]talk, n)
	id := func(i int) string {
		return fmt.Sprintf("%s-%d-%d-%d", strings.Fields(c.name)[0], n, len(c.rounds[n]), i)
	}
	for i := range calls {
		if c.proc == nil {
			calls[i] = talk{k.addr[1], k.addr[0]}
			continue
		}
		q := ng.Request{Command: ng.Offer, CallID: id(i), FromTag: "a", ViaBranch: "b" + id(i), SDP: k.body(0)}
		q.Flags = ng.Flags{TrustAddress: true, ReplaceOrigin: true, ICE: ng.ICERemove, Direction: [2]string{"pub", "priv"}}
		calls[i][1] = c.do(t, client, q)
		q.Command, q.ToTag, q.SDP, q.Flags.Direction = ng.Answer, "b", k.body(1), [2]string{}
		calls[i][0] = c.do(t, client, q)
	}
	runtime.GC() // not in the measurement
	var cpu, own, busy [2]int64
	var r mediaRound
	at := 0
	r.heard = k.run(calls, mediaWarm, mediaLong, func() {
		if c.proc != nil {
			cpu[at] = c.proc.cpu(t)
		}
		own[at], busy[at] = ownCPU(), machineBusy(t)
		at++
	})
	if c.proc != nil {
		r.resident = c.proc.resident(t)
		r.cpu = float64(cpu[1]-cpu[0]) / 1e3 / float64(max(r.received, 1))
		for i := range calls {
			q := ng.Request{Command: ng.Delete, CallID: id(i), FromTag: "a", ToTag: "b", DeleteNow: true}
			if _, err := client.Do(t.Context(), c.ng, q); err != nil {
				t.Fatalf("%s: delete: %v\n%s", c.name, err, c.proc.said())
			}
		}
	}
	r.others = max(0, float64(busy[1]-busy[0]-(own[1]-own[0])-(cpu[1]-cpu[0]))/float64(mediaLong))
	c.rounds[n] = append(c.rounds[n], r)
	fmt.Printf("%-12s  %3d calls  %6.2f us/packet  lost %d of %d  delay p50 %d us  p99 %d us  p99.9 %d us  others %.2f processors\n",
		c.name, n, r.cpu, r.sent-min(r.received, r.sent), r.sent, quantile(r.delay, .5), quantile(r.delay, .99), quantile(r.delay, .999), r.others)
}

// do sends a command and returns where the answer's description wants packets.
func (c *mediaRelay) do(t *testing.T, client *ng.Client, q ng.Request) netip.AddrPort {
	t.Helper()
	r, err := client.Do(t.Context(), c.ng, q)
	if err != nil {
		t.Fatalf("%s: %s: %v\n%s", c.name, q.Command, err, c.proc.said())
	}
	var x sdp.Description
	if fault := x.Scan([]byte(r.SDP)); fault != sdp.FaultNone {
		t.Fatalf("%s: %v\n%s", c.name, fault, r.SDP)
	}
	at, _ := x.Endpoint(0)
	return at
}

// machineBusy is what all processors have spent on anything, in nanoseconds (proc(5): ticks of 10 ms).
func machineBusy(t *testing.T) int64 {
	t.Helper()
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	var ticks int64
	for i, f := range strings.Fields(line)[1:] {
		if i == 3 || i == 4 || i > 7 { // idle, iowait, guests
			continue
		}
		n, _ := strconv.ParseInt(f, 10, 64)
		ticks += n
	}
	return ticks * int64(10*time.Millisecond)
}

// of collects one figure of the rounds with n calls.
func (c *mediaRelay) of(n int, f func(*mediaRound) float64) (list []float64) {
	for i := range c.rounds[n] {
		list = append(list, f(&c.rounds[n][i]))
	}
	return list
}

func (c *mediaRelay) cpu(n int) []float64 {
	return c.of(n, func(r *mediaRound) float64 { return r.cpu })
}

// lost is the share of all packets of all rounds.
func (c *mediaRelay) lost(n int) float64 {
	var sent, received uint64
	for i := range c.rounds[n] {
		sent, received = sent+c.rounds[n][i].sent, received+c.rounds[n][i].received
	}
	return float64(sent-min(received, sent)) / float64(max(sent, 1))
}

// delay is a quantile over all rounds, in microseconds.
func (c *mediaRelay) delay(n int, q float64) int {
	all := make([]uint32, histogram+1)
	for i := range c.rounds[n] {
		for d, count := range c.rounds[n][i].delay {
			all[d] += count
		}
	}
	return quantile(all, q)
}

// ratioOf is the median over the rounds of a's CPU per packet to b's in the same round.
func ratioOf(a, b *mediaRelay, n int) float64 {
	var list []float64
	for i, r := range b.cpu(n) {
		list = append(list, a.cpu(n)[i]/r)
	}
	return median(list)
}

// mediaTable is what the README quotes.
func mediaTable(w *bytes.Buffer, direct, ours, theirs *mediaRelay) {
	tw := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	fmt.Fprintln(tw, "| calls\t| relay\t| CPU per packet: median (least to most)\t| to rtpengine\t| calls per core\t| lost\t| added delay p50\t| p99\t| p99.9\t| rounds\t| busy with other things\t|")
	fmt.Fprintln(tw, "|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|")
	for _, n := range mediaCalls {
		for _, c := range []*mediaRelay{ours, theirs} {
			cpu, added := c.cpu(n), func(q float64) int { return max(0, c.delay(n, q)-direct.delay(n, q)) }
			others := c.of(n, func(r *mediaRound) float64 { return r.others })
			fmt.Fprintf(tw, "| %d\t| %s\t| %.1f µs (%.1f to %.1f)\t| %.2f\t| %.0f\t| %.4f %%\t| %d µs\t| %d µs\t| %d µs\t| %d\t| %.1f to %.1f processors\t|\n", n, c.name,
				median(cpu), slices.Min(cpu), slices.Max(cpu), ratioOf(c, theirs, n), 1e6/(100*median(cpu)), 100*c.lost(n), added(.5), added(.99), added(.999), len(cpu),
				slices.Min(others), slices.Max(others))
		}
	}
	tw.Flush()
}
