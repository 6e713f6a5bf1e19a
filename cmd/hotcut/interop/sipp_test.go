//go:build interop

package interop

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

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
	file := scenario
	if !filepath.IsAbs(file) {
		file = sippFile(t, scenario)
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

// sippFile is the path of a scenario of testdata/sipp.
func sippFile(t *testing.T, scenario string) string {
	t.Helper()
	file, err := filepath.Abs(filepath.Join("..", "..", "..", "testdata", "sipp", scenario))
	if err != nil {
		t.Fatal(err)
	}
	return file
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
		if len(f) < 7 || strings.HasPrefix(f[4], "probe-") || strings.HasSuffix(f[4], "@hotcut") { // requests of the edges' own
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
