package main

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "write what the commands print into the scripts")

// TestScript types commands as a user does and compares what comes back, exit codes included. -update rewrites the
// goldens; review the difference as prose.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		Setup:               setup,
		Cmds:                verbsOfScripts,
	})
}

// verbsOfScripts are what a script can do besides running commands.
var verbsOfScripts = map[string]func(*testscript.TestScript, bool, []string){
	"hc":       code, // hc CODE ARGS...
	"report":   report,
	"world":    makeWorld,
	"ready":    ready,
	"dial":     dial,
	"hangup":   hangup,
	"redis":    redisServer,
	"capture":  capture,
	"fakeedge": fakeEdge,
	"dark":     dark,
	"counts":   counts,
	"lines":    lines,
	"until":    until,
}

func setup(env *testscript.Env) error {
	// Under the race detector a command would sleep for a second before it exits, with everything of it still running; the detector
	// then hangs once in some hundred commands. A race ends the command at once, so nothing is missed.
	env.Setenv("GORACE", "atexit_sleep_ms=0 halt_on_error=1")
	for k, v := range map[string]string{
		"HOTCUT_STORE":      "file://" + filepath.Join(env.WorkDir, "policy"),
		"HOTCUT_ACTOR":      "ops@test",
		"HOTCUT_TEST_PLAIN": "1",
		"XDG_CACHE_HOME":    filepath.Join(env.WorkDir, ".cache"),
		"XDG_CONFIG_HOME":   filepath.Join(env.WorkDir, ".config"),
		"TZ":                "UTC",
		"HOME":              env.WorkDir,
	} {
		env.Setenv(k, v)
	}
	env.Values[worldKey{}] = newWorld(env)
	return nil
}

// code runs hotcut and insists on its exit code: hc 5 flip acme --to core --yes
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: hc CODE ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	if err != nil {
		ts.Fatalf("exit code %q: %v", args[0], err)
	}
	err = ts.Exec("hotcut", args[1:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("hotcut: %v", err)
	}
	if got != want {
		ts.Fatalf("hotcut %s: exit code %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// capture keeps what a regular expression finds in the last stdout as a variable: capture KEY '"key": "(.*)"'
func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: capture VAR REGEXP")
	}
	m := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(m) != 2 {
		ts.Fatalf("no %s in stdout", args[1])
	}
	ts.Setenv(args[0], m[1])
}

// normals are what differs from run to run.
var normals = []struct {
	re *regexp.Regexp
	to string
}{
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "HASH"},
	{regexp.MustCompile(`\b[0-9a-f]{32}\b`), "ID"},
	{regexp.MustCompile(`epoch ([0-9a-f]{8})\b`), "epoch EPOCH"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b`), "TIME"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\d \d\d:\d\d\b`), "MINUTE"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "MOMENT"},
	{regexp.MustCompile(`\b1[789]\d{17}\b`), "1700000000000000000"},
	{regexp.MustCompile(`\b1[789]\d{11}\b`), "1700000000000"},
	{regexp.MustCompile(`\b1[789]\d{8}\b`), "1700000000"},
	{regexp.MustCompile(`"(tookMs|ageMs|uptime)": ?[0-9]+`), `"$1": 0`},
	{regexp.MustCompile(`\b(tookMs|ageMs|uptime): [0-9]+`), `$1: 0`},
	{regexp.MustCompile(`<10 ms\b`), "N s"},
	{regexp.MustCompile(`\b[0-9]+(\.[0-9]+)? s\b`), "N s"},
	{regexp.MustCompile(`\b([0-9]+m[0-9]{2}s|[0-9]+h[0-9]{2}m|[0-9]+ days)\b`), "N s"},
	{regexp.MustCompile(`\bport [0-9]+\b|(127\.77\.0\.[0-9]+):[0-9]+`), "$1:PORT"},
	{regexp.MustCompile(`127\.0\.0\.1:[0-9]+`), "127.0.0.1:PORT"},
	{regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d  `), "CLOCK  "},
	{regexp.MustCompile(`"durability": "not replicated within 500 ms"`), `"durability": "fsynced"`}, // an embedded Redis for the file store
	{regexp.MustCompile(`"build": "[^"]*"`), `"build": "BUILD"`},
	{regexp.MustCompile(`"go": "[^"]*"`), `"go": "GO"`},
	{regexp.MustCompile(`"basis": "[0-9a-f]+"`), `"basis": "BASIS"`}, // of all rules of comparison
	{regexp.MustCompile(`go1\.[0-9.]+`), "GO"},
}

func normalise(s string) string {
	if wd, err := os.Getwd(); err == nil {
		s = strings.ReplaceAll(s, wd, "WORK")
	}
	for _, n := range normals {
		s = n.re.ReplaceAllString(s, n.to)
	}
	return strings.ReplaceAll(s, build(), "BUILD")
}
