package proxy

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/policy/filestore"
	"github.com/hotcut/hotcut/policy/follow"
	"github.com/hotcut/hotcut/proxy/admin"
	"github.com/hotcut/hotcut/proxy/callrecord"
	"github.com/hotcut/hotcut/proxy/health"
	"github.com/hotcut/hotcut/proxy/transport"
)

// backend is what the edge can do for its operators, over the admin socket.
func (e *Edge) backend() admin.Backend {
	return admin.Backend{
		State:    e.state,
		Calls:    e.liveCalls,
		Draining: e.drainingCalls,
		Records:  func(id string) []callrecord.Record { return e.records.Find(id) },
		Recent:   func(tenant string, n int) []callrecord.Record { return e.records.Recent(tenant, n) },
		Explain:  e.explain,

		Registrations:       e.registrations,
		RegistrationSummary: e.registrationSummary,
		Doctor:              e.Doctor,

		Shadow:   e.opts.Shadow.admin(),
		Drain:    e.Drain,
		Reload:   e.Reload,
		Override: e.override,
		AcceptEpoch: func(epoch string) error {
			return e.follower.AcceptEpoch(epoch)
		},
		ExportPolicy: func(w io.Writer) error {
			p := e.snapshot()
			if p == nil {
				return errors.New("this edge has no policy")
			}
			return p.Encode(w)
		},
		Ready:   e.Ready,
		Metrics: e.count.handler(),
	}
}

// newFollower keeps this edge on the policy, with its disk copy and its own orders in the state directory.
func (e *Edge) newFollower() (*follow.Follower, error) {
	disk, err := filestore.OpenDisk(filepath.Join(e.cfg.State, "policy"))
	if err != nil {
		return nil, err
	}
	return follow.New(follow.Config{Store: e.opts.Store, Disk: disk, Orders: filestore.NewOverridesFile(e.cfg.State), Log: e.log,
		Apply: func(*policy.Snapshot) { e.revSince.Store(time.Now().UnixNano()) },
		Fill:  e.nodeState, ServeLegacy: e.cfg.BootDefault == "legacy"})
}

// nodeState completes what the follower reports to the roster.
func (e *Edge) nodeState(n *policy.NodeState) {
	n.Edge, n.Build = e.cfg.Node, e.opts.Build
	if s := e.cfg.Admin.Socket; s != "" {
		n.Admin = "unix://" + s
	}
	n.Inside = nil
	for _, l := range e.topo.Load().listeners {
		if l.side == inside {
			n.Inside = append(n.Inside, l.proto.String()+":"+l.addr.String())
		}
	}
	n.Keys = *e.keyIDs.Load()
	n.Draining = e.draining.Load()
	if filestore.Empty(n.Overrides) {
		n.Overrides = nil
	}
	n.Dialogs, _ = e.sizes()
}

func (e *Edge) state() admin.State {
	st := admin.State{NodeState: e.follower.State(), Counters: e.count.set.Snapshot(), Uptime: int64(time.Since(e.started).Seconds())}
	e.nodeState(&st.NodeState)
	topo := e.topo.Load()
	for i, h := range topo.health.Snapshot() {
		st.Targets = append(st.Targets, topo.targetState(i, h))
	}
	if p := e.snapshot(); p != nil {
		st.Warnings = append(st.Warnings, p.Warnings()...)
	}
	st.Warnings = append(st.Warnings, e.keeper.warnings(time.Now().UnixNano())...)
	st.Warnings = append(st.Warnings, e.locationWarnings()...)
	st.Warnings = append(st.Warnings, e.fuse.warnings(time.Now().UnixNano())...)
	st.Warnings = append(st.Warnings, e.overloadWarnings()...)
	if n := e.dialogFile.Lost(); n > 0 {
		st.Warnings = append(st.Warnings, fmt.Sprintf("%d dialogs did not fit into the dialog file: after a crash `draining` counts at least, not exactly", n))
	}
	return st
}

func (t *topology) targetState(i int, h health.State) admin.TargetState {
	x := &t.targets[i]
	return admin.TargetState{Platform: x.platform.String(), Pool: x.pool, Name: x.name, Addr: x.proto.String() + ":" + x.addr.String(),
		Up: h.Up, Since: h.Since / 1e6, Reason: fmt.Sprint(h.Reason)}
}

// eachDialog visits the index, a shard at a time under its lock: f must be short.
func (e *Edge) eachDialog(f func(*dialog)) {
	for i := range e.shards {
		s := &e.shards[i]
		s.mu.Lock()
		for _, d := range s.dialogs {
			f(d)
		}
		s.mu.Unlock()
	}
}

func (e *Edge) liveCalls(tenant string, limit int) []admin.Call {
	list, sessions := []admin.Call{}, map[string]liveSession{}
	e.eachDialog(func(d *dialog) {
		if tenant != "" && d.tenant != tenant || len(list) >= admin.MaxCalls {
			return
		}
		c := admin.Call{CallID: d.callID, Tenant: d.tenant, Platform: d.platform.String(), Target: d.target, From: d.from, To: d.to,
			State: admin.Ringing, Since: d.since / 1e6, Rev: d.rev}
		if d.reason != policy.ReasonNone {
			c.Reason = d.reason.String()
		}
		if d.state == dialogTalking {
			c.State = admin.Talking
		}
		if d.passes > 0 {
			c.Passes = int(d.passes) + 1
		}
		list = append(list, c)
		if at := e.shardOf(d.callHash).anchors[d.media]; at != nil {
			sessions[d.callID] = liveSession{at.key, slices.Clone(at.events)}
		}
	})
	slices.SortFunc(list, func(a, b admin.Call) int { return int(a.Since - b.Since) })
	if limit > 0 && len(list) > limit {
		list = list[len(list)-limit:]
	}
	e.addMedia(list, sessions)
	return list
}

// drainingCalls counts the calls that live on a platform which no longer gets their tenant's new ones.
func (e *Edge) drainingCalls(tenant string) []admin.Draining {
	p := e.snapshot()
	type group struct {
		tenant   string
		platform policy.Platform
	}
	m := map[group]*admin.Draining{}
	lost, since := e.dialogFile.Lost() > 0, int64(0)
	if lost { // what did not fit into the file is known to this process alone
		since = e.started.UnixMilli()
	}
	e.eachDialog(func(d *dialog) {
		if d.tenant == "" || tenant != "" && d.tenant != tenant || p == nil || !movedAway(p, d) {
			return
		}
		g := group{d.tenant, d.platform}
		x := m[g]
		if x == nil {
			x = &admin.Draining{Tenant: d.tenant, Platform: d.platform.String(), Oldest: d.since / 1e6, AtLeast: lost, Since: since}
			m[g] = x
		}
		x.Count++
		x.Oldest = min(x.Oldest, d.since/1e6)
	})
	list := []admin.Draining{}
	for _, x := range m {
		list = append(list, *x)
	}
	slices.SortFunc(list, func(a, b admin.Draining) int {
		if a.Tenant != b.Tenant {
			if a.Tenant < b.Tenant {
				return -1
			}
			return 1
		}
		return int(a.Oldest - b.Oldest)
	})
	return list
}

// movedAway: would this tenant's next call go to the other platform? In canary both serve, and nothing drains.
func movedAway(p *policy.Snapshot, d *dialog) bool {
	r := p.Tenant(d.tenant)
	if r == nil {
		return true
	}
	q := policy.Query{Method: "INVITE", Tenant: r, Unit: "", Now: time.Now().Unix()}
	if r.Tenant.Stage == policy.StageCanary {
		dec := p.Decide(q)
		return dec.Reason != policy.ReasonBadUnit && dec.Reason != policy.ReasonBucket && dec.Platform != d.platform
	}
	q.Unit = "draining"
	return p.Decide(q).Platform != d.platform
}

// explain says where a call would go, and why, on this edge.
func (e *Edge) explain(r admin.ExplainRequest) (admin.ExplainResponse, error) {
	p := e.snapshot()
	if p == nil {
		return admin.ExplainResponse{}, errors.New("this edge has no policy")
	}
	topo := e.topo.Load()
	q := policy.Question{Method: r.Method, Transport: r.Transport, Now: r.At}
	if q.Method == "" {
		q.Method = "INVITE"
	}
	if q.Transport == "" {
		q.Transport = "udp"
	}
	if q.Now == 0 {
		q.Now = time.Now().Unix()
	}
	resp := admin.ExplainResponse{Arrived: "phone", FromRaw: r.From, ToRaw: r.To}
	if r.Source != "" {
		src, err := netip.ParseAddrPort(r.Source)
		if err != nil {
			ip, err := netip.ParseAddr(r.Source)
			if err != nil {
				return resp, fmt.Errorf("source %q is neither an address nor address:port", r.Source)
			}
			src = netip.AddrPortFrom(ip, 5060)
		}
		q.Source = src
		proto := transport.UDP
		if q.Transport == "tcp" {
			proto = transport.TCP
		}
		if pl, _ := topo.platformOf(src, proto, -1); pl != policy.NoPlatform {
			q.FromPlatform, resp.Arrived = pl, "platform "+pl.String()
		} else if i := topo.carrierOf(src, proto); i >= 0 {
			q.Carrier, q.NumberFormat, resp.Arrived = true, topo.carriers[i].format, "carrier "+topo.carriers[i].name
		} else if _, tr := p.ByTrunk(src, q.Transport); tr != nil {
			resp.Arrived = "trunk " + tr.Name
		}
	}
	q.FromUser, q.FromHost, _ = policy.ParseParty(r.From)
	q.ToUser, q.ToHost, q.ToTel = policy.ParseParty(r.To)
	if topo.us([]byte(q.ToHost), 0) && p.ByDomain(q.ToHost) == nil {
		q.ToHost = ""
	}
	var tr policy.Trace
	query := p.Resolve(&q, &tr)
	d := p.Decide(query)
	resp.Decision, resp.Direction = admin.DecisionOf(d), query.Direction.String()
	resp.FromE164, resp.ToE164, resp.Unit, resp.Emergency = string(tr.Caller()), string(tr.Called()), query.Unit, query.Emergency
	pool := d.Pool
	if pool == "" {
		pool = topo.first[d.Platform]
	}
	states := topo.health.Snapshot()
	for _, i := range topo.pools[poolKey{d.Platform, pool}] {
		resp.Targets = append(resp.Targets, topo.targetState(i, states[i]))
	}
	return resp, nil
}

// override gives or takes back an order of this edge's own.
func (e *Edge) override(c admin.OverrideChange) error {
	return e.follower.Override(func(o *policy.Overrides) error {
		set := c.Op == admin.Set
		order := c.Order
		one := func(p **policy.Override) {
			*p = nil
			if set {
				*p = &order
			}
		}
		switch c.Scope {
		case admin.ScopeAllLegacy:
			one(&o.AllLegacy)
		case admin.ScopeFreeze:
			one(&o.Freeze)
		case admin.ScopeTenants:
			for _, t := range c.Tenants {
				if !set {
					delete(o.Tenants, t)
					continue
				}
				if o.Tenants == nil {
					o.Tenants = map[string]policy.Override{}
				}
				o.Tenants[t] = order
			}
		case admin.ScopeAll:
			if set {
				return errors.New("scope all can only be removed")
			}
			*o = policy.Overrides{}
		default:
			return fmt.Errorf("unknown scope %q: use all-legacy, freeze, tenants or all", c.Scope)
		}
		return nil
	})
}
