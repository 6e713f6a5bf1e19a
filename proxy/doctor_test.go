package proxy

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/admin"
)

// examine lets a doctor look while time goes by: only while it waits, so that no time-out passes for want of a CPU. It runs
// in a bubble of synctest.
func (w *keepWorld) examine(q admin.DoctorRequest) admin.DoctorReport {
	w.t.Helper()
	w.doctors = true
	type result struct {
		r   admin.DoctorReport
		err error
	}
	done := make(chan result, 1)
	go func() {
		r, err := w.edge.Doctor(w.t.Context(), q)
		done <- result{r, err}
	}()
	for {
		synctest.Wait()
		select {
		case x := <-done:
			if x.err != nil {
				w.t.Fatal(x.err)
			}
			return x.r
		default:
			w.pass(10 * time.Millisecond)
		}
	}
}

// levels are the findings of a platform in one line, and the details of one of them.
func levels(r admin.DoctorReport, platform string) string {
	var list []string
	for _, f := range r.Findings {
		if f.Platform == platform {
			list = append(list, f.Check+"="+f.Level)
		}
	}
	return strings.Join(list, " ")
}

func finding(t *testing.T, r admin.DoctorReport, platform, check string) admin.DoctorFinding {
	t.Helper()
	for _, f := range r.Findings {
		if f.Platform == platform && f.Check == check {
			return f
		}
	}
	t.Fatalf("no finding %s of %s in %+v", check, platform, r.Findings)
	return admin.DoctorFinding{}
}

func newDoctorWorld(t *testing.T, edit func(*target)) *keepWorld {
	w := newKeepWorld(t, edit)
	w.stage(policy.StageLegacy)
	w.legacy.guard, w.core.guard = true, true
	w.edge.current.Load().Names = []string{"sip.provider.test"}
	return w
}

func TestDoctorFindsAllWell(t *testing.T) { synctest.Test(t, doctorFindsAllWell) }

func doctorFindsAllWell(t *testing.T) {
	w := newDoctorWorld(t, asIs)
	r := w.examine(admin.DoctorRequest{Tenant: "acme", User: "test@acme.example", Write: true})
	const all = "challenge=ok names=ok trust=ok trust_negative=ok path=ok two_call_ids=ok lists_all=ok"
	for _, p := range []string{"legacy", "core"} {
		if got := levels(r, p); got != all {
			t.Errorf("%s: %s\n%+v", p, got, r.Findings)
		}
	}
	if f := finding(t, r, "", "compare"); f.Level != admin.LevelOK {
		t.Errorf("%+v", f)
	}
	if c := r.Challenges["legacy"]; fmt.Sprint(c) != "{[r] [MD5 SHA-256] [ auth]}" {
		t.Errorf("challenges %v", c)
	}
	if len(w.legacy.contacts)+len(w.core.contacts) != 0 {
		t.Errorf("it left %v %v", w.legacy.contacts, w.core.contacts)
	}

	// Without leave to write nothing is registered.
	w.legacy.got = nil
	r = w.examine(admin.DoctorRequest{Platform: "legacy", User: "test@acme.example"})
	if got := levels(r, "legacy"); got != "challenge=ok names=ok trust=ok trust_negative=ok path=skip two_call_ids=skip lists_all=skip" {
		t.Error(got)
	}
	for _, m := range w.legacy.got {
		if len(m.headers("Contact")) != 0 {
			t.Errorf("it wrote:\n%s", m.text)
		}
	}
	if got := levels(r, "core"); got != "" {
		t.Errorf("core was asked: %s", got)
	}
}

// Every habit of a registrar that a flip would stumble over is found, and said with what to do about it.
func TestDoctorFindsHabits(t *testing.T) { synctest.Test(t, doctorFindsHabits) }

func doctorFindsHabits(t *testing.T) {
	for _, c := range []struct {
		name   string
		edit   func(*target)
		habit  func(*simRegistrar)
		check  string
		level  string
		detail string
		fix    string
	}{
		{"silent", asIs, func(r *simRegistrar) { r.dead = true }, "challenge", "fail", "no answer (timeout)", "10.1.0.1:5060"},
		{"open to all", asIs, func(r *simRegistrar) { r.guard = false }, "challenge", "fail", "anybody", "10.9.0.1:5070"},
		{"trusts the relay", asIs, func(r *simRegistrar) { r.hole = true }, "trust_negative", "fail", "needs no password", "10.9.0.1:5080"},
		{"does not trust us", asIs, func(r *simRegistrar) { r.secret = "x" }, "trust", "fail", "401", "10.9.0.1:5080"},
		{"no such name", asIs, func(r *simRegistrar) { r.names = []string{"acme.example"} }, "names", "fail", "sip.provider.test (404 Not Here)", "alias"},
		{"no Path, says so", asIs, func(r *simRegistrar) { r.noPath = true }, "path", "fail", "420", "reach_back: contact"},
		{"no Path, says nothing", asIs, func(r *simRegistrar) { r.mute = true }, "path", "warn", "does not repeat", "reach_back: contact"},
		{"rewrites contacts", func(x *target) { x.byContact = true }, func(r *simRegistrar) { r.mangles = true }, "contact", "fail", "as it was written", "NAT"},
		{"contacts by Call-ID", asIs, func(r *simRegistrar) { r.twice = true }, "two_call_ids", "fail", "twice", "callid: phone"},
		{"contacts by Call-ID, known", func(x *target) { x.phoneCallID = true }, func(r *simRegistrar) { r.twice = true }, "two_call_ids", "ok", "avoids", ""},
		{"contacts by URI, believed otherwise", func(x *target) { x.phoneCallID = true }, func(*simRegistrar) {}, "two_call_ids", "warn", "not needed", "callid"},
		{"lists the last", func(x *target) { x.listsAll = true }, func(r *simRegistrar) { r.last = true }, "lists_all", "fail", "end the first", "listsAll: false"},
		{"keep none", func(x *target) { x.keep = keepNone }, func(*simRegistrar) {}, "trust", "warn", "keep: none", "keep: trust"},
	} {
		w := newDoctorWorld(t, c.edit)
		c.habit(w.legacy)
		r := w.examine(admin.DoctorRequest{User: "test@acme.example", Write: true})
		f := finding(t, r, "legacy", c.check)
		if f.Level != c.level || !strings.Contains(f.Detail, c.detail) || !strings.Contains(f.Fix, c.fix) || c.fix == "" && f.Fix != "" {
			t.Errorf("%s: %+v", c.name, f)
		}
		for _, f := range r.Findings {
			if f.Platform == "core" && f.Level == admin.LevelFail {
				t.Errorf("%s: of the other one: %+v", c.name, f)
			}
		}
		if len(w.legacy.contacts) != 0 {
			t.Errorf("%s: it left %v", c.name, w.legacy.contacts)
		}
	}
}

func TestDoctorDigest(t *testing.T) { synctest.Test(t, doctorDigest) }

func doctorDigest(t *testing.T) {
	w := newDoctorWorld(t, func(x *target) { x.keep = keepDigest })
	w.legacy.guard, w.core.guard = false, false
	w.legacy.secret, w.core.secret = "tiger", "lion"
	if err := w.edge.keeper.loadSecrets(writeSecrets(t, "anna@acme.example r password:tiger\n")); err != nil {
		t.Fatal(err)
	}
	r := w.examine(admin.DoctorRequest{User: "anna@acme.example", Write: true})
	if got := levels(r, "legacy"); got != "challenge=ok names=ok digest=ok path=ok two_call_ids=ok lists_all=ok" {
		t.Errorf("%s\n%+v", got, r.Findings)
	}
	if f := finding(t, r, "core", "digest"); f.Level != admin.LevelFail || !strings.Contains(f.Fix, "anna@acme.example") {
		t.Errorf("%+v", f)
	}
	for _, f := range r.Findings {
		if strings.Contains(f.Detail+f.Fix, "tiger") {
			t.Errorf("a secret is in a finding: %+v", f)
		}
	}
}

// What phones meet before and after a flip is compared.
func TestDoctorCompares(t *testing.T) { synctest.Test(t, doctorCompares) }

func doctorCompares(t *testing.T) {
	ch := func(realm, alg, qop string) admin.Challenge {
		return admin.Challenge{Realms: []string{realm}, Algorithms: strings.Fields(alg), QOP: strings.Fields(qop)}
	}
	for _, c := range []struct {
		legacy, core admin.Challenge
		level, in    string
	}{
		{ch("a", "MD5", "auth"), ch("a", "MD5", "auth"), "ok", "alike"},
		{ch("a", "MD5", "auth"), ch("b", "MD5", "auth"), "fail", `set core's realm to "a"`},
		{ch("a", "MD5", "auth"), ch("a", "SHA-256", "auth"), "fail", "MD5"},
		{ch("a", "MD5", "auth"), ch("a", "MD5 SHA-256", "auth"), "warn", "SHA-256"},
		{ch("a", "MD5", ""), ch("a", "MD5", "auth"), "warn", "qop"},
		{admin.Challenge{}, ch("a", "MD5", "auth"), "warn", "nothing to compare"},
	} {
		f := (&doctor{}).compare(map[string]admin.Challenge{"legacy": c.legacy, "core": c.core})[0]
		if f.Level != c.level || !strings.Contains(f.Detail+f.Fix, c.in) {
			t.Errorf("%v, %v: %+v", c.legacy, c.core, f)
		}
	}
	w := newDoctorWorld(t, asIs)
	w.core.realm = "other"
	if f := finding(t, w.examine(admin.DoctorRequest{}), "", "compare"); f.Level != admin.LevelFail {
		t.Errorf("%+v", f)
	}
}

func TestDoctorRefuses(t *testing.T) {
	w := newDoctorWorld(t, asIs)
	for _, q := range []admin.DoctorRequest{{User: "anna"}, {User: "a b@c"}, {User: "a>@c\r\nX: y"}, {Tenant: "nobody"}, {Target: "nothing"}} {
		if _, err := w.edge.Doctor(t.Context(), q); err == nil {
			t.Errorf("%+v was taken", q)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.doctors = true
	if _, err := w.edge.Doctor(ctx, admin.DoctorRequest{}); err == nil {
		t.Error("it went on without anybody waiting")
	}
}
