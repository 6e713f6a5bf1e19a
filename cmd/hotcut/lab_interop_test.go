//go:build interop

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy/redisstore/redistest"
)

// TestDemo is `make demo`: the whole story with nothing but this program, under a minute, every call where the policy said.
func TestDemo(t *testing.T) {
	out := tellStory(t)
	for _, act := range []string{"The phones register", "acme moves to core", "acme comes back", "birch: some", "is killed", "Redis goes away", "Redis comes back, empty"} {
		if !strings.Contains(out, act) {
			t.Errorf("the story has no act %q", act)
		}
	}
}

// TestDemoOnARealRedis tells the story on Debian's redis-server, without the acts in which Redis is stopped.
func TestDemoOnARealRedis(t *testing.T) {
	tellStory(t, "--redis", redistest.Start(t).URL())
}

func tellStory(t *testing.T, flags ...string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "hotcut")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	began := time.Now()
	cmd := exec.CommandContext(t.Context(), program, append([]string{"lab"}, flags...)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if took := time.Since(began); took > 3*time.Minute { // well under one, where nothing else runs
		t.Errorf("the story took %s", took)
	}
	if !strings.Contains(string(out), "every message went where the policy said") {
		t.Errorf("no verdict:\n%s", out)
	}
	return string(out)
}
