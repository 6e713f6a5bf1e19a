package policy

import (
	"fmt"
	"hash/fnv"
)

// TestResult is what one of the policy's own tests gave.
type TestResult struct {
	Index    int // in Globals.Tests
	Test     Test
	OK       bool
	Decision Decision
	Problem  string // "expected core, got legacy (stage)"; "" when OK
}

// RunTests asks the policy its own tests, without overrides, as of now (unix seconds).
func (s *Snapshot) RunTests(now int64) []TestResult {
	s = s.WithOverrides(nil)
	list := make([]TestResult, 0, len(s.globals.Tests))
	for i, t := range s.globals.Tests {
		r := TestResult{Index: i, Test: t, Decision: s.try(&t, now)}
		switch d := r.Decision; {
		case t.Tenant != "" && d.Tenant != t.Tenant:
			r.Problem = fmt.Sprintf("expected tenant %s, got %s", t.Tenant, orNone(d.Tenant))
		case d.Platform.String() != t.Expect:
			r.Problem = fmt.Sprintf("expected %s, got %s (%s)", t.Expect, d.Platform, d.Why())
		default:
			r.OK = true
		}
		list = append(list, r)
	}
	return list
}

// try decides a test as an edge would decide the request from outside.
func (s *Snapshot) try(t *Test, now int64) Decision {
	q := Question{Method: t.Method, Now: now}
	if q.Method == "" {
		q.Method = "INVITE"
	}
	q.FromUser, q.FromHost, _ = ParseParty(t.From)
	q.ToUser, q.ToHost, q.ToTel = ParseParty(t.To)
	h := fnv.New32a()
	h.Write([]byte(t.From + "\n" + t.To))
	q.Mirror = uint16(h.Sum32() % FullShare)
	var tr Trace
	return s.Decide(s.Resolve(&q, &tr))
}

// Why is the reason with its argument: "rule(2)", "bucket(7304)", "stage".
func (d Decision) Why() string {
	if d.Reason == ReasonRule || d.Reason == ReasonBucket {
		return fmt.Sprintf("%s(%d)", d.Reason, d.Arg)
	}
	return d.Reason.String()
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// judge runs the tests of a new snapshot that c made from old. What fails refuses c; but it is only a warning where it
// failed before too, or where c takes people back.
func (s *Snapshot) judge(old *Snapshot, c *Change) error {
	if len(s.globals.Tests) == 0 {
		return nil
	}
	now := c.At / 1000
	var failed []TestResult
	for _, r := range s.RunTests(now) {
		if !r.OK {
			failed = append(failed, r)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	lenient := c.homeward(old)
	before := make(map[Test]bool)
	for _, r := range old.RunTests(now) {
		before[r.Test] = !r.OK
	}
	f := &faults{}
	for _, r := range failed {
		name := r.Test.Name
		if name == "" {
			name = r.Test.From + " -> " + r.Test.To
		}
		if lenient || before[r.Test] {
			s.warnings = append(s.warnings, fmt.Sprintf("test %d (%s): %s", r.Index+1, name, r.Problem))
		} else {
			f.add(fmt.Sprintf("tests[%d]", r.Index), name, r.Problem, "change the test with the policy, or leave the policy")
		}
	}
	return refuse(f.list)
}
