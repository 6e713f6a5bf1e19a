package main

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"hotcut": hotcutInTest, "ttyrun": ttyRun})
}

// hotcutInTest is main, but for two orders that only the test binary obeys: HOTCUT_TEST_PLAIN replaces what differs
// from run to run (times, ids, paths) in what it prints, and HOTCUT_TEST_LATER moves its clock.
func hotcutInTest() {
	now := time.Now
	if later, err := time.ParseDuration(os.Getenv("HOTCUT_TEST_LATER")); err == nil {
		now = func() time.Time { return time.Now().Add(later) }
	}
	if os.Getenv("HOTCUT_TEST_PLAIN") == "" {
		os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, now))
	}
	var out, errs bytes.Buffer
	code := run(os.Args[1:], os.Stdin, &out, &errs, now)
	os.Stdout.WriteString(normalise(out.String()))
	os.Stderr.WriteString(normalise(errs.String()))
	os.Exit(code)
}
