package proxy

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/admin"
	"github.com/hotcut/hotcut/proxy/digest"
	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

// A doctor probes the targets, live, with REGISTERs of its own: what the configuration says of a registrar is what a
// person believes of it. Nothing that it asks changes anything unless the request allows to write; then one test contact
// or two are registered and taken away again.
//
// It runs on the goroutine of whoever asked; the targets are probed side by side, each by one question after another.
type doctor struct {
	edge *Edge
	topo *topology
	req  admin.DoctorRequest
	user string // of the address-of-record to test with
	host string // its domain
	made bool   // the user was made up: that a platform does not know it says nothing
}

// Doctor probes the targets and says what it found, for a person who has little time.
func (e *Edge) Doctor(ctx context.Context, q admin.DoctorRequest) (admin.DoctorReport, error) {
	d := &doctor{edge: e, topo: e.topo.Load(), req: q}
	if err := d.choose(); err != nil {
		return admin.DoctorReport{}, err
	}
	var probed []*patient
	for i := range d.topo.targets {
		t := &d.topo.targets[i]
		if q.Platform != "" && t.platform.String() != q.Platform || q.Target != "" && t.name != q.Target {
			continue
		}
		probed = append(probed, &patient{doctor: d, index: i, target: t, out: e.newOut(), sequence: uint32(time.Now().Unix())})
	}
	if len(probed) == 0 {
		return admin.DoctorReport{}, fmt.Errorf("no target %q on platform %q: `hotcut edges` lists them", q.Target, q.Platform)
	}
	var all sync.WaitGroup
	for _, p := range probed {
		all.Go(func() { p.examine(ctx) })
	}
	all.Wait()
	r := admin.DoctorReport{Edge: e.cfg.Node, At: time.Now().UnixMilli(), Challenges: map[string]admin.Challenge{}}
	for _, p := range probed {
		r.Findings = append(r.Findings, p.findings...)
		addChallenge(r.Challenges, p.target.platform.String(), p.challenge)
	}
	r.Findings = append(r.Findings, d.compare(r.Challenges)...)
	return r, ctx.Err()
}

// choose finds the address-of-record to test with: the one that was named, else nobody's in the tenant's domain, or in
// that of the first tenant that has one.
func (d *doctor) choose() error {
	if d.req.User != "" {
		var ok bool
		d.user, d.host, ok = cutAoR(strings.TrimPrefix(d.req.User, "sip:"))
		if !ok || d.user == "" || d.host == "" {
			return fmt.Errorf("user %q: write user@domain", d.req.User)
		}
		if _, ok := wire.ParseURI([]byte(d.uri())); !ok {
			return fmt.Errorf("user %q: write user@domain", d.req.User)
		}
		return nil
	}
	p := d.edge.snapshot()
	d.user, d.made = "hotcut-doctor-"+random(4), true
	switch {
	case d.req.Tenant != "":
		var rec *policy.Record
		if p != nil {
			rec = p.Tenant(d.req.Tenant)
		}
		if rec == nil {
			return fmt.Errorf("this edge knows no tenant %q", d.req.Tenant)
		}
		if len(rec.Tenant.Domains) == 0 {
			return fmt.Errorf("tenant %q has no domain: name a user@domain to test with", d.req.Tenant)
		}
		d.host = rec.Tenant.Domains[0]
	case p != nil:
		for rec := range p.All() {
			if len(rec.Tenant.Domains) > 0 {
				d.host = rec.Tenant.Domains[0]
				break
			}
		}
	}
	if d.host == "" {
		if len(d.edge.current.Load().Names) == 0 {
			return fmt.Errorf("there is no tenant with a domain: name a user@domain to test with")
		}
		d.host = d.edge.current.Load().Names[0]
	}
	return nil
}

func (d *doctor) uri() string { return "sip:" + d.user + "@" + d.host }

func random(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// patient is one target under examination.
type patient struct {
	*doctor
	index     int
	target    *target
	out       *transport.Out
	sequence  uint32
	base      reply // to a REGISTER without credentials
	challenge admin.Challenge
	findings  []admin.DoctorFinding
}

func (p *patient) examine(ctx context.Context) {
	if !p.checkChallenge(ctx) {
		return
	}
	p.checkNames(ctx)
	p.checkKeep(ctx)
	p.checkWrites(ctx)
}

func (p *patient) say(check, level, fix, format string, args ...any) {
	p.findings = append(p.findings, admin.DoctorFinding{Check: check, Platform: p.target.platform.String(), Target: p.target.name, Level: level,
		Detail: fmt.Sprintf(format, args...), Fix: fix})
}

// compare holds the two platforms' challenges against each other: what a phone meets before and after a flip.
func (d *doctor) compare(c map[string]admin.Challenge) []admin.DoctorFinding {
	f := admin.DoctorFinding{Check: "compare", Level: admin.LevelOK, Detail: "both platforms challenge alike"}
	l, k := c["legacy"], c["core"]
	switch {
	case d.req.Platform != "" || d.req.Target != "":
		f.Level, f.Detail = admin.LevelSkip, "only one side was asked"
	case len(l.Realms) == 0 || len(k.Realms) == 0:
		f.Level, f.Detail = admin.LevelWarn, "only one platform challenged, or none: there is nothing to compare"
	case !slices.Equal(l.Realms, k.Realms):
		f.Level = admin.LevelFail
		f.Detail = fmt.Sprintf("legacy asks in realm %s, core in %s: users of whom core has only a HA1 can not log in, and phones that know the realm ask for a password",
			strings.Join(quoted(l.Realms), ", "), strings.Join(quoted(k.Realms), ", "))
		f.Fix = "set core's realm to " + strings.Join(quoted(l.Realms), ", ")
	case !overlap(l.Algorithms, k.Algorithms):
		f.Level = admin.LevelFail
		f.Detail = fmt.Sprintf("legacy offers %s, core only %s: a phone that knows no other can not log in", strings.Join(l.Algorithms, ", "), strings.Join(k.Algorithms, ", "))
		f.Fix = "let core offer " + l.Algorithms[0] + " too"
	case !slices.Equal(l.Algorithms, k.Algorithms):
		f.Level = admin.LevelWarn
		f.Detail = fmt.Sprintf("legacy offers %s, core %s: old phones take the first that they see, known or not", strings.Join(l.Algorithms, ", "), strings.Join(k.Algorithms, ", "))
		f.Fix = "let core offer what legacy does until every phone has been moved"
	case !slices.Equal(l.QOP, k.QOP):
		f.Level = admin.LevelWarn
		f.Detail = fmt.Sprintf("legacy offers qop %s, core %s", strings.Join(quoted(l.QOP), ", "), strings.Join(quoted(k.QOP), ", "))
		f.Fix = "let core offer the qop that legacy does"
	}
	return []admin.DoctorFinding{f}
}

func quoted(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = fmt.Sprintf("%q", s)
	}
	return out
}

func overlap(a, b []string) bool {
	for _, x := range a {
		if slices.Contains(b, x) {
			return true
		}
	}
	return false
}

// challengeOf reads the digest challenges of a 401 or 407.
func challengeOf(m *wire.Message) (c admin.Challenge) {
	add := func(list *[]string, s string) {
		if !slices.Contains(*list, s) {
			*list = append(*list, s)
		}
	}
	for i := range m.Headers {
		if id := m.Headers[i].ID; id != wire.HWWWAuthenticate && id != wire.HProxyAuthenticate {
			continue
		}
		value := m.AppendUnfolded(nil, m.Headers[i].Value)
		var p digest.Params
		if !digest.ParseChallenge(&p, value) {
			continue
		}
		add(&c.Realms, string(p.Realm.In(value)))
		add(&c.Algorithms, cmp.Or(strings.ToUpper(string(p.Algorithm.In(value))), "MD5"))
		if !p.QOP.Present() {
			add(&c.QOP, "")
		}
		for _, q := range strings.FieldsFunc(string(p.QOP.In(value)), func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }) {
			add(&c.QOP, strings.ToLower(q))
		}
	}
	slices.Sort(c.Realms)
	slices.Sort(c.Algorithms)
	slices.Sort(c.QOP)
	return c
}

func addChallenge(m map[string]admin.Challenge, platform string, c admin.Challenge) {
	if len(c.Realms) == 0 {
		return
	}
	old := m[platform]
	join := func(a, b []string) []string { return slices.Compact(slices.Sorted(slices.Values(slices.Concat(a, b)))) }
	m[platform] = admin.Challenge{Realms: join(old.Realms, c.Realms), Algorithms: join(old.Algorithms, c.Algorithms), QOP: join(old.QOP, c.QOP)}
}
