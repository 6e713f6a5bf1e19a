package migration

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/hotcut/hotcut/policy"
)

var update = flag.Bool("update", false, "rewrite the plans in testdata")

// TestPlans reads scenarios: steps of a person's work on a policy, a line each, and what every one of them plans. A
// plan that no gate stops is committed, so that the next step sees it. -update rewrites what was planned.
func TestPlans(t *testing.T) {
	files, err := filepath.Glob("testdata/plans/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := &scenario{t: t, snap: policy.Empty("00112233445566778899aabbccddeeff"), at: time.Unix(1_700_000_000, 0)}
			for i := 0; i+1 < len(a.Files); i += 2 {
				got := s.play(string(a.Files[i].Data))
				if *update {
					a.Files[i+1].Data = []byte(got)
				} else if want := string(a.Files[i+1].Data); got != want {
					t.Errorf("%s: %s\n got:\n%s want:\n%s", a.Files[i].Name, a.Files[i].Data, got, want)
				}
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

type scenario struct {
	t     *testing.T
	snap  *policy.Snapshot
	nodes []policy.NodeState
	log   []policy.Change
	at    time.Time
}

var tester = Author{Actor: "ops@test", Reason: "test", Key: "k"}

func (s *scenario) play(steps string) string {
	var out strings.Builder
	for line := range strings.Lines(steps) {
		fmt.Fprintf(&out, "> %s", line)
		words := strings.Fields(line)
		if len(words) == 0 || s.arrange(words, line) {
			continue
		}
		goal := s.goal(words, line)
		p, err := goal(Present{Snapshot: s.snap, Nodes: s.nodes, At: s.at})
		s.alike(line, words, goal, p, err)
		if err != nil {
			fmt.Fprintf(&out, "%T: %v\n", err, err)
			continue
		}
		s.tell(&out, p)
	}
	return out.String()
}

// arrange changes the world around the policy: the time, what edges say.
func (s *scenario) arrange(words []string, line string) bool {
	switch words[0] {
	case "after":
		d, err := time.ParseDuration(words[1])
		if err != nil {
			s.t.Fatal(err)
		}
		s.at = s.at.Add(d)
	case "node":
		var n policy.NodeState
		if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "node ")), &n); err != nil {
			s.t.Fatal(err)
		}
		s.nodes = append(s.nodes, n)
	case "globals":
		var g policy.Globals
		if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "globals ")), &g); err != nil {
			s.t.Fatal(err)
		}
		now := s.snap.Globals()
		s.commit(policy.Change{Epoch: s.snap.Epoch(), Base: s.snap.Rev(), Kind: policy.KindTenant, Actor: "ops@test", Key: "g",
			Globals: &policy.GlobalsChange{Before: &now, After: &g}})
	default:
		return false
	}
	return true
}

func (s *scenario) goal(words []string, line string) Goal {
	switch words[0] {
	case "add", "set":
		f := Fields{}
		if _, doc, ok := strings.Cut(line, "{"); ok {
			if err := json.Unmarshal([]byte("{"+doc), &f); err != nil {
				s.t.Fatal(err)
			}
		}
		if words[0] == "set" {
			return Set(words[1], f, tester)
		}
		f["salt"] = json.RawMessage(`"000102030405060708090a0b0c0d0e0f"`)
		return Add(words[1], f, tester)
	case "remove":
		return Remove(words[1], tester)
	case "flip":
		to := FlipTo{Tenant: words[1], Soak: Soak}
		if err := to.Stage.UnmarshalText([]byte(words[2])); err != nil {
			s.t.Fatal(err)
		}
		if len(words) > 3 {
			to.Share, to.Shared = s.share(words[3]), true
		}
		return Flip(to, tester)
	case "rollback":
		return Rollback(words[1:], tester)
	case "rollback-all":
		return RollbackAll(tester)
	case "rollback-since":
		d, err := time.ParseDuration(words[1])
		if err != nil {
			s.t.Fatal(err)
		}
		return RollbackSince(d, s.log, true, tester)
	case "undo":
		rev, err := strconv.Atoi(words[1])
		if err != nil {
			s.t.Fatal(err)
		}
		return Undo(s.log[rev-1], tester)
	case "halt":
		return Halt(policy.Halt(words[1]), tester)
	case "resume":
		return Resume(tester)
	case "undirect":
		return Undirected(words[1:], tester)
	case "hold":
		return Hold(words[1:], tester)
	case "release":
		return Release(words[1:], tester)
	}
	s.t.Fatalf("no step %q", words[0])
	return nil
}

func (s *scenario) share(word string) int {
	bp, err := policy.ParseShare(word)
	if err != nil {
		s.t.Fatal(err)
	}
	return bp
}

// tell writes a plan down and commits it.
func (s *scenario) tell(out *strings.Builder, p *Plan) {
	for _, m := range p.Moves {
		fmt.Fprintf(out, "%s: %s -> %s %v %s\n", m.Tenant, m.From, m.To, m.Fields, m.Motion)
	}
	for _, v := range p.Verdicts {
		fmt.Fprintf(out, "%s %s (%s)\n", v.Level, v, v.Next)
	}
	for _, w := range p.Warnings {
		fmt.Fprintf(out, "warning: %s\n", w)
	}
	for _, n := range p.Notes {
		fmt.Fprintf(out, "note: %s\n", n)
	}
	if asking, want := p.Asking(); asking != AskNothing {
		fmt.Fprintf(out, "asks: %s\n", strings.TrimSpace([]string{"", "y/N", "number", "name"}[asking]+" "+want))
	}
	switch {
	case p.Refusal() != nil:
		fmt.Fprintf(out, "refused at rev %d\n", s.snap.Rev())
	case !p.Empty():
		fmt.Fprintf(out, "%s\n", s.commit(p.Change))
	}
}

func (s *scenario) commit(c policy.Change) string {
	sealed, next, err := s.snap.Next(c, s.at)
	if err != nil {
		return err.Error()
	}
	s.log, s.snap = append(s.log, sealed), next
	return fmt.Sprintf("rev %d", next.Rev())
}
