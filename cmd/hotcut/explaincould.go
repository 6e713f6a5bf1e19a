package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/admin"
)

// couldData is where a hypothetical call would go.
type couldData struct {
	admin.ExplainResponse
	Edge string `json:"edge,omitempty"` // that was asked; "": the policy alone, without carriers and targets
}

// explainCould asks an edge, which knows its carriers, platforms and targets. Without one that answers, and for the past,
// the policy alone is asked.
func (a *app) explainCould(ctx context.Context, q admin.ExplainRequest, atRev uint64) error {
	v, err := a.viewAt(ctx, atRev)
	if err != nil {
		return err
	}
	e, err := a.eng()
	if err != nil {
		return err
	}
	var d couldData
	var missing []string
	if !v.past {
		answers := askClients(ctx, a, e.Fleet.Addresses(v.Nodes), func(ctx context.Context, c *admin.Client) (admin.ExplainResponse, error) {
			return c.Explain(ctx, q)
		})
		missing = silent(answers)
		for _, ans := range answers {
			if ans.Err == nil && d.Edge == "" {
				d = couldData{ans.Value, ans.Edge}
			}
		}
	}
	if d.Edge == "" {
		if d.ExplainResponse, err = ofPolicy(v.Snapshot, q, a.now().Unix()); err != nil {
			return err
		}
	}
	if d.Targets == nil {
		d.Targets = []admin.TargetState{}
	}
	r := v.result("Explanation", d)
	r.warnings = append(append(r.warnings, d.Warnings...), unanswered(missing)...)
	r.table = func(w io.Writer) { couldTable(w, d) }
	return v.show(a, r)
}

// ofPolicy asks the policy alone: it knows tenants and their trunks, but no carriers, platforms or targets.
func ofPolicy(s *policy.Snapshot, req admin.ExplainRequest, now int64) (admin.ExplainResponse, error) {
	q := policy.Question{Method: req.Method, Transport: "udp", Now: now}
	q.FromUser, q.FromHost, _ = policy.ParseParty(req.From)
	q.ToUser, q.ToHost, q.ToTel = policy.ParseParty(req.To)
	if req.Source != "" {
		var err error
		if q.Source, err = sourceOf(req.Source); err != nil {
			return admin.ExplainResponse{}, usage(fmt.Errorf("--source %q is no address; write 192.0.2.7 or 192.0.2.7:5060", req.Source))
		}
	}
	var tr policy.Trace
	asked := s.Resolve(&q, &tr)
	out := admin.ExplainResponse{Decision: admin.DecisionOf(s.Decide(asked)), Direction: tr.Direction.String(), Arrived: "phone",
		FromRaw: req.From, FromE164: tr.Caller(), ToRaw: req.To, ToE164: tr.Called(), Unit: asked.Unit, Emergency: asked.Emergency}
	if tr.Trunk != nil {
		out.Arrived = "trunk " + tr.Trunk.Name
	}
	return out, nil
}

func sourceOf(s string) (netip.AddrPort, error) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap, nil
	}
	addr, err := netip.ParseAddr(s)
	return netip.AddrPortFrom(addr, 0), err
}

// arrivedWords: "a phone", but "platform legacy", "trunk pbx", "carrier a".
func arrivedWords(arrived string) string {
	if strings.Contains(arrived, " ") {
		return arrived
	}
	return "a " + arrived
}

func couldTable(w io.Writer, d couldData) {
	x := d.Decision
	fmt.Fprintf(w, "%s\t%s -> %s\t%s\tbecause %s\trev %d\n", cmp.Or(x.Tenant, "no tenant"), d.FromRaw, d.ToRaw, x.Platform, argWords(x.Reason, x.Arg), x.Rev)
	fmt.Fprint(w, "  ")
	if d.Direction != policy.AnyDirection.String() {
		fmt.Fprint(w, d.Direction+", ")
	}
	fmt.Fprint(w, "from "+arrivedWords(d.Arrived))
	if d.Unit != "" {
		fmt.Fprintf(w, ", unit %s", d.Unit)
	}
	if d.Emergency {
		fmt.Fprint(w, ", emergency")
	}
	fmt.Fprintln(w)
	if d.FromE164 != "" || d.ToE164 != "" {
		fmt.Fprintf(w, "  numbers %s -> %s\n", dash(d.FromE164), dash(d.ToE164))
	}
	for i, t := range d.Targets {
		state := "up"
		if !t.Up {
			state = "down " + t.Reason
		}
		fmt.Fprintf(w, "  %d. %s %s, %s\n", i+1, t.Name, t.Addr, state)
	}
	if d.Edge == "" {
		fmt.Fprintln(w, "  asked of the policy alone: no edge said by which target")
	} else {
		fmt.Fprintf(w, "  asked of %s\n", d.Edge)
	}
}
