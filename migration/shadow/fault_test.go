package shadow

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hotcut/hotcut/policy"
)

// faulty is a fault in the middle of the mirror's goroutine: its policy panics when it is read again.
func faulty(o *Options) {
	good, asked := o.Policy, 0
	o.Policy = func() *policy.Snapshot {
		if asked++; asked > 1 {
			panic("no such policy")
		}
		return good()
	}
}

// A fault of ours ends the mirror, or the recorder, and says so; the process goes on, and the edge goes on putting.
func TestAFaultEndsMirroringOnly(t *testing.T) {
	for _, kind := range []string{"mirror", "recorder"} {
		t.Run(kind, func(t *testing.T) {
			o := realOptions(t, darkAddr)
			faulty(&o)
			told := make(chan string, 1)
			o.Alarm = func(what string, err error) { told <- what + ": " + err.Error() }
			var x interface {
				Run(context.Context) error
				Stats() Stats
			}
			var err error
			if kind == "mirror" {
				x, err = New(o)
			} else {
				x, err = NewRecorder(o, RecorderOptions{Path: filepath.Join(t.TempDir(), "calls.jsonl")})
			}
			if err != nil {
				t.Fatal(err)
			}
			err = x.Run(t.Context())
			if err == nil || !strings.Contains(err.Error(), "no such policy") || !strings.Contains(err.Error(), untilRestart) {
				t.Fatalf("Run ended with %v", err)
			}
			if s := x.Stats(); s.Stopped != err.Error() {
				t.Errorf("the state is %+v", s)
			}
			if what := <-told; what != "shadow_fault: "+err.Error() {
				t.Errorf("the alarm was %q", what)
			}
		})
	}
}

// A line that a full disk or a crash has cut off does not spoil the one after it.
func TestATornLineIsCutOff(t *testing.T) {
	long := strings.Repeat("x", 200<<10)
	for name, tc := range map[string]struct{ there, left string }{
		"none":      {"", ""},
		"whole":     {"one\ntwo\n", "one\ntwo\n"},
		"torn":      {"one\n{\"v\":1,\"ten", "one\n"},
		"long":      {"one\n" + long, "one\n"},
		"only torn": {long, ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "calls.jsonl")
			if err := os.WriteFile(path, []byte(tc.there), 0o600); err != nil {
				t.Fatal(err)
			}
			j := &journal{path: path}
			if err := j.reopen(); err != nil {
				t.Fatal(err)
			}
			defer j.close()
			if err := j.write([]byte("next\n")); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(path)
			if err != nil || string(text) != tc.left+"next\n" || j.size != int64(len(text)) {
				t.Errorf("%d bytes, %v, counted %d", len(text), err, j.size)
			}
		})
	}
}
