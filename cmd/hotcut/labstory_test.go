package main

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/lab"
)

// labStage is a story without edges: its one phone calls a switch directly, so that a test decides where calls go.
func labStage(t *testing.T, goesTo func(legacy, core *lab.Switch) netip.AddrPort, accounts ...lab.Account) *labStory {
	t.Helper()
	return labStageLosing(t, nil, goesTo, accounts...)
}

// labStageLosing loses audio of its phone.
func labStageLosing(t *testing.T, loses func([]byte, bool) bool, goesTo func(legacy, core *lab.Switch) netip.AddrPort, accounts ...lab.Account) *labStory {
	t.Helper()
	legacy, err := lab.NewSwitch(lab.SwitchOptions{Platform: "legacy", IP: labLegacyIP, Accounts: accounts})
	if err != nil {
		t.Fatal(err)
	}
	core, err := lab.NewSwitch(lab.SwitchOptions{Platform: "core", IP: labCoreIP, Accounts: accounts})
	if err != nil {
		t.Fatal(err)
	}
	phone, err := lab.NewPhone(lab.PhoneOptions{AOR: "alice@acme.example", Password: labPassword, Proxy: goesTo(legacy, core), Loses: loses})
	if err != nil {
		t.Fatal(err)
	}
	w := &labWorld{
		legacy: legacy, core: core, running: new(errgroup.Group),
		phones: map[string]*labPhone{"alice": {Phone: phone, name: "alice", asks: labOften, edge: &lab.Edge{Name: "no edge"}, transport: "udp"}},
	}
	ctx, cancel := context.WithCancel(t.Context())
	w.running.Go(func() error { return legacy.Run(ctx) })
	w.running.Go(func() error { return core.Run(ctx) })
	w.running.Go(func() error { return phone.Run(ctx) })
	w.life = ctx
	t.Cleanup(func() {
		cancel()
		if err := w.running.Wait(); err != nil {
			t.Error(err)
		}
	})
	return &labStory{ctx: ctx, world: w, out: io.Discard, began: time.Now()}
}

func toLegacy(legacy, _ *lab.Switch) netip.AddrPort { return legacy.Addr() }
func toCore(_, core *lab.Switch) netip.AddrPort     { return core.Addr() }

func TestLabIsContentWhenCallsGoWhereThePolicySays(t *testing.T) {
	s := labStage(t, toLegacy)
	if err := s.quick(policy.Legacy, "answer@acme.example", "alice"); err != nil {
		t.Fatal(err)
	}
	c, err := s.place("alice", "answer@acme.example", policy.Legacy, 200)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.hungUpBy(c); err != nil {
		t.Fatal(err)
	}
	if err := s.verdict(); err != nil {
		t.Error(err)
	}
}

func TestLabNoticesACallThatWentElsewhere(t *testing.T) {
	s := labStage(t, toCore)
	if _, err := s.place("alice", "answer@acme.example", policy.Legacy, 200); err != nil {
		t.Fatal(err)
	}
	err := s.verdict()
	if err == nil {
		t.Fatal("a call that went to core instead of legacy was not noticed")
	}
	for _, want := range []string{
		"answered by core; the policy says legacy",
		"INVITE of alice@acme.example -> answer@acme.example reached core; the call was on legacy",
		"legacy never heard the INVITE",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the verdict does not say %q:\n%v", want, err)
		}
	}
}

func TestLabNoticesAWrongCode(t *testing.T) {
	s := labStage(t, toLegacy)
	if _, err := s.place("alice", "busy@acme.example", policy.Legacy, 200); err != nil {
		t.Fatal(err)
	}
	if err := s.verdict(); err == nil || !strings.Contains(err.Error(), "got 486, want 200") {
		t.Errorf("verdict %v", err)
	}
}

func TestLabNoticesAWrongExitCode(t *testing.T) {
	var shown strings.Builder
	s := &labStory{ctx: t.Context(), out: &shown}
	s.hotcut = func(context.Context, ...string) (int, string, error) {
		return exitGate, "gate emergency: not certified\n", nil
	}
	if err := s.command(exitDone, "flip", "acme", "--to", "core"); err != nil {
		t.Fatal(err)
	}
	if len(s.faults) != 1 || !strings.Contains(s.faults[0].what, "exit code 5, want 0") {
		t.Errorf("faults %v", s.faults)
	}
	if !strings.Contains(shown.String(), "$ hotcut flip acme --to core\n     gate emergency: not certified\n") {
		t.Errorf("the command and what it said are not shown:\n%s", shown.String())
	}
	s.hotcut = func(context.Context, ...string) (int, string, error) { return 0, "", errors.New("no such file") }
	if err := s.command(exitDone, "status"); err == nil {
		t.Error("a command that could not run was taken for one that did")
	}
}
