//go:build bench

package bench

import (
	"encoding/csv"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// startCallee runs the callee of all contestants.
func startCallee(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("sipp"); err != nil {
		t.Fatal("sipp is not installed: apt-get install sip-tester")
	}
	addr := freeAddr(t)
	start(t, t.TempDir(), "callee", nil, sipp(t, "benchuas.xml", addr, "-default_behaviors", "all,-abortunexp")...)
	return addr
}

func sipp(t *testing.T, scenario, addr string, more ...string) []string {
	t.Helper()
	port := addr[len(home)+1:]
	return append([]string{"sipp", "-sf", repository(t, "testdata", "sipp", scenario), "-i", home, "-p", port, "-nostdin", "-buff_size", "4000000"}, more...)
}

// load is what SIPp says of its calls.
type load struct {
	calls, failed, again int // succeeded, did not, messages sent again
}

// startCalls runs SIPp's caller against addr. The func waits for its end.
func startCalls(t *testing.T, addr string, rate, calls int, talk time.Duration) (p *process, wait func(time.Duration) load) {
	t.Helper()
	dir := t.TempDir()
	stats := filepath.Join(dir, "stats.csv")
	args := sipp(t, "benchuac.xml", freeAddr(t), "-r", strconv.Itoa(rate), "-m", strconv.Itoa(calls), "-l", strconv.Itoa(calls), "-s", "bob",
		"-d", strconv.Itoa(int(talk.Milliseconds())), "-recv_timeout", "20000", "-trace_stat", "-fd", "1", "-stf", stats, addr)
	p = start(t, dir, "caller", nil, args...)
	return p, func(limit time.Duration) load {
		t.Helper()
		select {
		case <-p.done:
		case <-time.After(limit):
			t.Errorf("sipp did not end in %s", limit)
			p.kill()
		}
		return readStats(t, stats)
	}
}

func readStats(t *testing.T, file string) (l load) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.FieldsPerRecord, r.LazyQuotes = ';', -1, true
	rows, err := r.ReadAll()
	if err != nil || len(rows) < 2 {
		t.Fatalf("sipp's statistics: %d rows, %v", len(rows), err)
	}
	last := rows[len(rows)-1]
	for i, name := range rows[0] {
		n, _ := strconv.Atoi(last[min(i, len(last)-1)])
		switch name {
		case "SuccessfulCall(C)":
			l.calls = n
		case "FailedCall(C)":
			l.failed = n
		case "Retransmissions(C)":
			l.again = n
		}
	}
	return l
}
