package metrics

import (
	"fmt"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scrape returns the lines that the handler serves.
func scrape(t *testing.T, s *Set) []string {
	t.Helper()
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return strings.Split(strings.TrimSpace(w.Body.String()), "\n")
}

func wantLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("not served: %s\nin\n%s", w, strings.Join(got, "\n"))
		}
	}
}

func TestServed(t *testing.T) {
	s := New()
	drops := s.Counter("hotcut_drops_total", "datagrams dropped", "reason", []string{"short", "fuse"})
	two := s.Counter("hotcut_pairs_total", "pairs", "platform,outcome", []string{"legacy,a", "core,b"})
	plain := s.Counter("hotcut_starts_total", "starts", "", nil)
	h := s.Histogram("hotcut_wait_seconds", "waits", "class", []string{"new", "old"}, []time.Duration{10 * time.Millisecond, time.Second})
	s.Gauge("hotcut_up", "targets that are up", func() []Sample {
		return []Sample{{[]string{"core", "c\xff1"}, 1}, {[]string{"too few"}, 7}}
	}, "platform", "target")
	s.Gauge("hotcut_rev", "rev in force", func() []Sample { return []Sample{{nil, 4128}} })

	drops.Add(1, 3)
	drops.Inc(1)
	two.Inc(1)
	plain.Inc(0)
	h.Observe(0, 10*time.Millisecond)
	h.Observe(0, 11*time.Millisecond)
	h.Observe(0, time.Minute)
	h.Observe(0, -time.Minute)

	got := scrape(t, s)
	wantLines(t, got,
		`# HELP hotcut_drops_total datagrams dropped`,
		`# TYPE hotcut_drops_total counter`,
		`hotcut_drops_total{reason="short"} 0`,
		`hotcut_drops_total{reason="fuse"} 4`,
		`hotcut_pairs_total{outcome="b",platform="core"} 1`,
		`hotcut_starts_total 1`,
		`# TYPE hotcut_wait_seconds histogram`,
		`hotcut_wait_seconds_bucket{class="new",le="0.01"} 2`,
		`hotcut_wait_seconds_bucket{class="new",le="1"} 3`,
		`hotcut_wait_seconds_bucket{class="new",le="+Inf"} 4`,
		`hotcut_wait_seconds_sum{class="new"} 60.021`,
		`hotcut_wait_seconds_count{class="new"} 4`,
		`hotcut_wait_seconds_count{class="old"} 0`,
		`hotcut_up{platform="core",target="c?1"} 1`,
		`hotcut_rev 4128`,
	)
	for _, line := range got {
		if strings.Contains(line, "too few") || strings.HasPrefix(line, "target_info") || strings.Contains(line, "otel_scope") {
			t.Errorf("must not be served: %s", line)
		}
	}
	snap := s.Snapshot()
	if snap[`hotcut_drops_total{reason="fuse"}`] != 4 || snap["hotcut_starts_total"] != 1 || len(snap) != 5 {
		t.Errorf("snapshot: %v", snap)
	}
}

// What the table documents is what the handler serves: names, kinds, labels and their values.
func TestTableIsWhatIsServed(t *testing.T) {
	s := New()
	g := NewSignalling(s)
	s.Counter("hotcut_starts_total", "starts", "", nil)
	s.Gauge("hotcut_up", "targets that are up", func() []Sample { return []Sample{{[]string{"c1"}, 1}} }, "target")
	for p := range Platforms { // so that the ratios have samples
		g.Session(p, 200)
	}
	documented := make(map[string]string) // name -> kind and label names
	row := regexp.MustCompile("^\\| `([a-z0-9_]+)` \\| (\\w+) \\| (?:1|seconds|bytes|ratio) \\| (.*) \\| .+ \\|$")
	for _, line := range strings.Split(strings.TrimSpace(s.Table()), "\n")[2:] {
		m := row.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("no row of the table: %s", line)
		}
		var labels []string
		for _, l := range regexp.MustCompile("`([a-z]+)`").FindAllStringSubmatch(m[3], -1) {
			labels = append(labels, l[1])
		}
		slices.Sort(labels)
		documented[m[1]] = m[2] + fmt.Sprint(labels)
	}
	served := make(map[string]string)
	kinds := make(map[string]string)
	sample := regexp.MustCompile(`^([a-z0-9_]+?)(_bucket|_sum|_count)?(?:\{(.*)\})? `)
	for _, line := range scrape(t, s) {
		if f := strings.Fields(line); f[0] == "#" {
			if f[1] == "TYPE" {
				kinds[f[2]] = f[3]
			}
			continue
		}
		m := sample.FindStringSubmatch(line)
		name := m[1]
		if kinds[name] != "histogram" {
			name += m[2]
		}
		var labels []string
		for _, l := range regexp.MustCompile(`([a-z]+)="`).FindAllStringSubmatch(m[3], -1) {
			if l[1] != "le" {
				labels = append(labels, l[1])
			}
		}
		served[name] = kinds[name] + fmt.Sprint(labels)
	}
	for name, d := range documented {
		if served[name] != d {
			t.Errorf("%s: documented as %q, served as %q", name, d, served[name])
		}
	}
	for name := range served {
		if documented[name] == "" {
			t.Errorf("%s is served and not documented", name)
		}
	}
	if names := s.Names(); len(names) != len(documented) || !slices.IsSorted(names) {
		t.Errorf("Names: %v", names)
	}
	if row := "| `hotcut_srd_seconds` | histogram | seconds | `platform`: none, legacy, core; `result`: successful, failed |"; !strings.Contains(s.Table(), row) {
		t.Errorf("the table lacks %s\n%s", row, s.Table())
	}
}

func TestSignalling(t *testing.T) {
	s := New()
	g := NewSignalling(s)
	const legacy, core = 1, 2
	for code, n := range map[int]int{200: 6, 486: 2, 503: 1, 404: 1, 302: 5, 407: 9} {
		for range n {
			g.Session(core, code)
		}
	}
	g.RequestDelay(legacy, true, 300*time.Millisecond)
	g.RequestDelay(legacy, false, time.Second)
	g.RegistrationDelay(core, time.Millisecond)
	g.DisconnectDelay(core, time.Millisecond)
	g.Duration(core, time.Minute)
	wantLines(t, scrape(t, s),
		`hotcut_ser_ratio{platform="core"} 0.6`, // 6 of 10
		`hotcut_seer_ratio{platform="core"} 0.8`,
		fmt.Sprintf(`hotcut_isa_ratio{platform="core"} %v`, 1.0/15), // redirected ones count as attempts
		`hotcut_sessions_total{outcome="challenged",platform="core"} 9`,
		`hotcut_sessions_total{outcome="established",platform="legacy"} 0`,
		`hotcut_srd_seconds_count{platform="legacy",result="successful"} 1`,
		`hotcut_srd_seconds_sum{platform="legacy",result="failed"} 1`,
		`hotcut_rrd_seconds_count{platform="core"} 1`,
		`hotcut_sdd_seconds_count{platform="core"} 1`,
		`hotcut_sdt_seconds_bucket{platform="core",le="60"} 1`,
	)
	for _, line := range scrape(t, s) {
		if strings.HasPrefix(line, `hotcut_ser_ratio{platform="legacy"}`) {
			t.Errorf("a ratio of nothing: %s", line)
		}
	}
}

func TestOutcomeOf(t *testing.T) {
	for code, want := range map[int]Outcome{
		200: Established, 202: Established, 301: Redirected, 401: Challenged, 407: Challenged, 404: Failed, 408: Ineffective, 480: Declined,
		486: Declined, 487: Cancelled, 488: Failed, 500: Ineffective, 503: Ineffective, 504: Ineffective, 501: Failed, 600: Declined, 603: Declined, 604: Failed, 0: Failed, -1: Failed, 9999: Failed,
	} {
		if got := OutcomeOf(code); got != want {
			t.Errorf("%d: %s, want %s", code, got, want)
		}
	}
}

func TestWrongRegistrationsPanic(t *testing.T) {
	s := New()
	s.Counter("hotcut_a_total", "a", "", nil)
	second := []time.Duration{time.Second}
	for name, f := range map[string]func(){
		"twice":           func() { s.Gauge("hotcut_a_total", "a", nil) },
		"no prefix":       func() { s.Counter("a_total", "a", "", nil) },
		"bad name":        func() { s.Counter("hotcut_A-b_total", "a", "", nil) },
		"no _total":       func() { s.Counter("hotcut_b", "a", "", nil) },
		"no meaning":      func() { s.Counter("hotcut_c_total", "", "", nil) },
		"meaning with |":  func() { s.Counter("hotcut_d_total", "a|b", "", nil) },
		"label missing":   func() { s.Counter("hotcut_e_total", "a", "x,y", []string{"1"}) },
		"label twice":     func() { s.Counter("hotcut_f_total", "a", "x", []string{"1", "1"}) },
		"label empty":     func() { s.Counter("hotcut_g_total", "a", "x", []string{""}) },
		"too many":        func() { s.Counter("hotcut_z_total", "a", "x", make([]string, maxSamples+1)) },
		"no _seconds":     func() { s.Histogram("hotcut_h", "a", "", nil, second) },
		"no bounds":       func() { s.Histogram("hotcut_i_seconds", "a", "", nil, nil) },
		"bounds unsorted": func() { s.Histogram("hotcut_j_seconds", "a", "", nil, []time.Duration{2, 1}) },
		"bounds twice":    func() { s.Histogram("hotcut_k_seconds", "a", "", nil, []time.Duration{1, 1}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: accepted", name)
				}
			}()
			f()
		}()
	}
}

func TestNothingIsLostUnderConcurrency(t *testing.T) {
	s := New()
	v := s.Counter("hotcut_n_total", "n", "i", []string{"a", "b"})
	h := s.Histogram("hotcut_n_seconds", "n", "", nil, []time.Duration{time.Second})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for range 1000 {
				v.Add(g%2, 2)
				h.Observe(0, time.Millisecond)
			}
		})
	}
	scrape(t, s) // while they count
	wg.Wait()
	wantLines(t, scrape(t, s), `hotcut_n_total{i="a"} 8000`, `hotcut_n_total{i="b"} 8000`, `hotcut_n_seconds_count 8000`)
}

func TestCountingAllocatesNothing(t *testing.T) {
	s := New()
	g := NewSignalling(s)
	v := s.Counter("hotcut_n_total", "n", "", nil)
	if n := testing.AllocsPerRun(1000, func() {
		v.Inc(0)
		g.Session(2, 200)
		g.RequestDelay(2, true, time.Second)
	}); n != 0 {
		t.Errorf("%v allocations per count", n)
	}
}

// A gauge that a bug lets grow does not take the scraper down.
func TestGaugeIsBounded(t *testing.T) {
	s := New()
	s.Gauge("hotcut_big", "too many", func() []Sample {
		out := make([]Sample, maxSamples+50)
		for i := range out {
			out[i] = Sample{[]string{fmt.Sprint(i)}, 1}
		}
		return out
	}, "n")
	n := 0
	for _, line := range scrape(t, s) {
		if strings.HasPrefix(line, "hotcut_big{") {
			n++
		}
	}
	if n != maxSamples {
		t.Errorf("%d series, want %d", n, maxSamples)
	}
}

func BenchmarkAdd(b *testing.B) {
	v := New().Counter("hotcut_n_total", "n", "x", []string{"a", "b"})
	b.ReportAllocs()
	for b.Loop() {
		v.Add(1, 1)
	}
}
