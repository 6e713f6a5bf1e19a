package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/lab"
)

// labDialled is what cedar's people dial while their calls are copied: every treatment of the plan, and who is busy.
var labDialled = []string{"cyril", "01", "away", "team", "voice", "busy"}

// shadowed copies the calls of a tenant that has not moved to a dark core, which is right first, and then loses who called.
func (s *labStory) shadowed() error {
	s.begin("What would core do? cedar's calls are copied to a dark core, and compared")
	s.say("a dark core       %s, with the build that comes next; what it sends ends in the edges' sinks", s.world.dark.Addr())
	if err := s.command(exitDone, "shadow", "start", "cedar", "--yes"); err != nil {
		return err
	}
	if err := s.darkKnows("cedar.example"); err != nil {
		return err
	}
	if err := s.canaries(); err != nil {
		return err
	}
	for _, to := range labDialled {
		if err := s.shadowCall("carol", to); err != nil {
			return err
		}
	}
	d, err := s.compared(func(r *labReport) bool { return r.calls() >= len(labDialled) })
	if err != nil {
		return err
	}
	s.say("%d calls, each twice: phones rang once, %d were compared, %d differ", len(labDialled), d.calls(), len(d.Clusters))
	for _, c := range d.Clusters {
		s.fault("the dark core does what legacy does, and the report says: %s: %s", c.Severity, c.Words)
	}

	s.say("now the dark core loses who called when it forwards:")
	s.world.dark.SetFaults(lab.Faults{LostCaller: true})
	for range 2 {
		if err := s.shadowCall("carol", "away"); err != nil {
			return err
		}
	}
	lost := func(c labCluster) bool { return strings.Contains(c.Words, "caller ID") && c.Severity == "critical" }
	if d, err = s.compared(func(r *labReport) bool { return slices.ContainsFunc(r.Clusters, lost) }); err != nil {
		return err
	}
	for _, c := range d.Clusters {
		s.say("%-9s %s: %s (%d times)", c.Severity, c.Words, c.Field, c.Count)
	}
	return s.command(exitDone, "shadow", "stop", "cedar", "--yes")
}

// labBetween lies between two calls that are copied.
const labBetween = 1200 * time.Millisecond

// shadowCall places a call of a copied tenant and ends it when it has been up for a moment.
func (s *labStory) shadowCall(from, to string) error {
	want := 200
	if to == lab.UserBusy {
		want = 486
	}
	ctx, cancel := s.patience()
	defer cancel()
	select { // who calls the same place twice within a second has two legs that nobody can tell apart: they would count as missing
	case <-time.After(labBetween):
	case <-ctx.Done():
		return ctx.Err()
	}
	before := s.world.dark.Received.Total("ACK")
	call, err := s.place(from, to+"@cedar.example", policy.Legacy, want)
	if err != nil || want != 200 {
		return err
	}
	// The copy is answered when the call is, as much later as it takes a datagram or two: what ends before has no copy to be
	// compared with.
	if err := s.world.dark.Received.AwaitTotal(ctx, "ACK", before+1); err != nil {
		return fmt.Errorf("the copy of %s -> %s: %w", from, to, err)
	}
	return s.hangup(call, false)
}

// canaries waits until every edge has called a number through the dark core, to see that it comes back to the sink.
func (s *labStory) canaries() error {
	ctx, cancel := s.patience()
	defer cancel()
	if err := s.world.dark.Received.AwaitTotal(ctx, "ACK", len(s.world.edges)); err != nil {
		return fmt.Errorf("the canaries: %w", err)
	}
	s.say("each edge's canary, a call to a number, went through the dark core and came back to its sink, and to nobody else")
	return nil
}

// darkKnows waits until the dark core has every phone of a domain, in Hotcut's words.
func (s *labStory) darkKnows(domain string) error {
	ctx, cancel := s.patience()
	defer cancel()
	users := make(map[string]bool)
	for _, p := range s.world.registered(domain) {
		users[p.AOR()] = true
	}
	return s.world.dark.AwaitBindings(ctx, func(list []lab.Binding) bool {
		known := make(map[string]bool)
		for _, b := range list {
			known[b.AoR] = true
		}
		for u := range users {
			if !known[u] {
				return false
			}
		}
		return true
	})
}

// labReport is what the story reads of `hotcut shadow report -o json`.
type labReport struct {
	Clusters []labCluster
	Missing  []struct {
		Name string
		N    int
	}
	Coverage struct {
		Scenarios []struct {
			Scenario string
			Compared int
		}
	}
}

type labCluster struct {
	Severity, Field, Words string
	Count                  int
}

// calls that were compared. A leg whose call passes another edge is compared by itself, and is none.
func (r *labReport) calls() (n int) {
	for _, x := range r.Coverage.Scenarios {
		if !strings.HasPrefix(x.Scenario, "leg/") {
			n += x.Compared
		}
	}
	return n
}

// compared waits until the report of cedar's calls is what it will be.
func (s *labStory) compared(enough func(*labReport) bool) (*labReport, error) {
	ctx, cancel := s.patience()
	defer cancel()
	return awaitReport(ctx, s.world, "cedar", enough)
}

// awaitReport asks again and again, as a person would.
func awaitReport(ctx context.Context, w *labWorld, tenant string, enough func(*labReport) bool) (*labReport, error) {
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	var last labReport
	for {
		var e struct{ Data labReport }
		b, err := w.data(ctx, "shadow", "report", tenant, "-o", "json")
		if err == nil {
			err = json.Unmarshal(b, &e)
		}
		switch {
		case err != nil && ctx.Err() == nil:
			return nil, fmt.Errorf("shadow report: %w", err)
		case err == nil && enough(&e.Data):
			return &e.Data, nil
		case err == nil:
			last = e.Data
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("%d calls were compared in time, found %v, missing %v", last.calls(), last.Clusters, last.Missing)
		}
	}
}
