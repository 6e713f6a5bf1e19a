//go:build interop

package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// fleet is one SIPp that is many phones at one address: each registers with digest credentials, registers again when
// its time has come, and takes calls.
type fleet struct {
	*sipp
	t      *testing.T
	events string // SIPp's own log: what the phones saw
}

// userName of the n-th phone.
func userName(n int) string { return fmt.Sprintf("u%04d", n) }

// users writes the file by which SIPp knows the users from first to first+n-1 and their passwords.
func users(t *testing.T, dir string, first, n int) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("SEQUENTIAL\n")
	for i := first; i < first+n; i++ {
		u := userName(i)
		fmt.Fprintf(&b, "%s;[authentication username=%s password=pw-%s]\n", u, u, u)
	}
	file := filepath.Join(dir, fmt.Sprintf("users-%d-%d.csv", first, n))
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// startFleet registers the users from first to first+n-1 at an edge, perSecond of them a second, and again each refresh.
func startFleet(t *testing.T, dir string, e *edge, first, n, perSecond int, refresh time.Duration) *fleet {
	t.Helper()
	name := fmt.Sprintf("phones-%d", first)
	f := &fleet{t: t, events: filepath.Join(dir, name+".log")}
	args := append([]string{e.outside, "-inf", users(t, dir, first, n), "-key", "domain", realm, "-oocsf", sippFile(t, "uas.xml"),
		"-r", strconv.Itoa(perSecond), "-m", strconv.Itoa(n), "-l", strconv.Itoa(4 * n), "-d", strconv.Itoa(int(refresh / time.Millisecond)),
		"-trace_logs", "-log_file", f.events, "-timeout", "300s"}, patient...)
	f.sipp = startSipp(t, dir, name, "phones.xml", args...)
	return f
}

// said counts what the phones noted: registered, stale, busy, prompt, refused.
func (f *fleet) said(what string) int {
	text, err := os.ReadFile(f.events)
	if err != nil && !os.IsNotExist(err) {
		f.t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, what+" ") {
			n++
		}
	}
	return n
}

// unhappy says which phones would have asked their users for a password, or have given up.
func (f *fleet) unhappy() (who []string) {
	text, _ := os.ReadFile(f.events)
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "prompt ") || strings.HasPrefix(line, "refused ") {
			who = append(who, strings.TrimSpace(line))
		}
	}
	errs, _ := os.ReadFile(f.errs)
	for line := range strings.Lines(string(errs)) {
		if strings.Contains(line, "Aborting call") && strings.Contains(line, "REGISTER") {
			who = append(who, strings.TrimSpace(line))
		}
	}
	return who
}

// startCallers calls the users from first to first+n-1 in turn through an edge, from outside, calls times in all.
func startCallers(t *testing.T, dir, name string, to string, first, n, perSecond, calls int) *sipp {
	t.Helper()
	text, err := os.ReadFile(sippFile(t, "uac.xml"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "uac-users.xml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(text), "[service]", "[field0]")), 0o600); err != nil {
		t.Fatal(err)
	}
	return startSipp(t, dir, name, file, to, "-inf", users(t, dir, first, n), "-key", "domain", realm,
		"-r", strconv.Itoa(perSecond), "-m", strconv.Itoa(calls), "-d", "500", "-l", "5000", "-timeout", "300s")
}
