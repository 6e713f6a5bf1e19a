package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/admin"
	"github.com/hotcut/hotcut/proxy/callrecord"
)

func newExplainCmd(a *app) *cobra.Command {
	var q admin.ExplainRequest
	var atRev uint64
	cmd := &cobra.Command{
		Use:   "explain CALL-ID | --from A --to B",
		Short: "Say where a call went, or would go, and why",
		Example: `  hotcut explain a84b4c76e66710@192.0.2.7
  hotcut explain --from alice@acme.example --to +12125550100
  hotcut explain --from +12125550100 --to +13035550100 --source 198.51.100.1 --at-rev 4127`,
		Args: between(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			hypothetical := q.From != "" || q.To != ""
			switch {
			case len(args) == 1 && (hypothetical || atRev != 0 || q.Source != ""):
				return usage(errors.New("a Call-ID names a call that was; --from, --to, --source and --at-rev are for one that could be"))
			case len(args) == 1:
				return a.explainCall(cmd.Context(), args[0])
			case q.From == "" || q.To == "":
				return usage(errors.New("explain which call? A Call-ID, or --from and --to"), "hotcut help explain")
			}
			return a.explainCould(cmd.Context(), q, atRev)
		},
	}
	f := cmd.Flags()
	f.StringVar(&q.From, "from", "", "who calls: a URI, a number, or user@domain")
	f.StringVar(&q.To, "to", "", "who is called")
	f.StringVar(&q.Method, "method", "INVITE", "SIP method")
	f.StringVar(&q.Source, "source", "", "address, or address:port, that it comes from")
	a.atRev(cmd, &atRev)
	return cmd
}

// callData is what the edges know of one call.
type callData struct {
	Records []toldRecord `json:"records"`
	Silent  []string     `json:"silent"` // edges that did not answer
}

// toldRecord is a record and what the policy says of the same call one rev earlier.
type toldRecord struct {
	callrecord.Record
	Before *before `json:"before,omitempty"`
}

type before struct {
	Rev      uint64 `json:"rev"`
	Platform string `json:"platform"`
	Reason   string `json:"reason"`
}

func (a *app) explainCall(ctx context.Context, callID string) error {
	v, e, err := a.fleetView(ctx)
	if err != nil {
		return err
	}
	answers := askClients(ctx, a, e.Fleet.Addresses(v.Nodes), func(ctx context.Context, c *admin.Client) ([]callrecord.Record, error) {
		return c.Records(ctx, callID)
	})
	d := callData{Records: []toldRecord{}, Silent: silent(answers)}
	for _, ans := range answers {
		for _, r := range latest(ans.Value) {
			d.Records = append(d.Records, toldRecord{Record: r, Before: a.oneEarlier(ctx, e, v, r)})
		}
	}
	slices.SortFunc(d.Records, func(x, y toldRecord) int { return cmp.Compare(x.Start, y.Start) })
	r := v.result("CallExplanation", d)
	r.warnings = append(r.warnings, unanswered(d.Silent)...)
	r.table = func(w io.Writer) {
		for _, rec := range d.Records {
			recordTable(w, rec)
		}
	}
	if len(d.Records) == 0 {
		err = &failure{exit: exitError, code: "no_call", err: fmt.Errorf("%s answered; no record of call %s", plural(len(answers)-len(d.Silent), "edge"), callID),
			next: []string{"hotcut calls", "hotcut edges"}}
	}
	return join(v.show(a, r), err)
}

// latest keeps the last word on each call: an edge writes a record when a call is answered, and again when it has ended.
func latest(records []callrecord.Record) []callrecord.Record {
	var out []callrecord.Record
	for _, r := range records {
		same := func(o callrecord.Record) bool {
			return o.Start == r.Start && o.Method == r.Method && o.Source == r.Source
		}
		if i := slices.IndexFunc(out, same); i >= 0 {
			out[i] = r
			continue
		}
		out = append(out, r)
	}
	return out
}

// oneEarlier asks the policy before the one that decided; nil when that is not to be had.
func (a *app) oneEarlier(ctx context.Context, e *migration.Engine, v *seen, r callrecord.Record) *before {
	if r.Rev < 2 || v.Gone != nil || r.Epoch != "" && r.Epoch != v.Head.Epoch {
		return nil
	}
	ctx, cancel := a.limited(ctx)
	defer cancel()
	s, err := e.Store.LoadAt(ctx, r.Rev-1)
	if err != nil {
		a.detail("rev %d: %v", r.Rev-1, err)
		return nil
	}
	d := s.Decide(queryOf(s, r))
	return &before{Rev: r.Rev - 1, Platform: d.Platform.String(), Reason: reasonWords(d)}
}

// queryOf asks again what was asked of the policy when the call came.
func queryOf(s *policy.Snapshot, r callrecord.Record) policy.Query {
	q := policy.Query{Method: r.Method, Number: r.Query.Number, Unit: r.Query.Unit, Trunk: r.Query.Trunk, Emergency: r.Query.Emergency,
		Mirror: r.Query.Mirror, Now: r.Query.Now, Tenant: s.Tenant(r.Tenant)}
	// A word that this build does not know leaves the field at "any": the record of another build.
	_ = q.Direction.UnmarshalText([]byte(r.Query.Direction))
	_ = q.From.UnmarshalText([]byte(r.Query.From))
	if addr, err := netip.ParseAddr(r.Query.Source); err == nil {
		q.Source = addr
	}
	return q
}

func reasonWords(d policy.Decision) string { return argWords(d.Reason.String(), int(d.Arg)) }

// argWords puts a reason together with its rule or bucket: "rule(2)", "bucket(7304)", "stage".
func argWords(reason string, arg int) string {
	if reason == policy.ReasonRule.String() || reason == policy.ReasonBucket.String() {
		return fmt.Sprintf("%s(%d)", reason, arg)
	}
	return reason
}

func recordTable(w io.Writer, r toldRecord) {
	fmt.Fprintf(w, "%s\t%s\t%s -> %s\t%s\tbecause %s\trev %d\t%s\n", time.UnixMilli(r.Start).Format("15:04:05"), dash(r.Tenant), r.From, r.To,
		dash(r.Platform), dash(argWords(r.Reason, r.Arg)), r.Rev, r.Edge)
	var parts []string
	if r.Before != nil {
		parts = append(parts, fmt.Sprintf("same call at rev %d: %s because %s", r.Before.Rev, r.Before.Platform, r.Before.Reason))
	}
	if r.Target != "" {
		parts = append(parts, "target "+r.Target)
	}
	if r.Code != 0 {
		parts = append(parts, fmt.Sprintf("outcome %d", r.Code))
	} else {
		parts = append(parts, "in progress")
	}
	if r.Ring > 0 {
		parts = append(parts, "ring "+migration.Ago(durationMs(r.Ring-r.Start)))
	}
	if r.Answer > 0 && r.End > r.Answer {
		parts = append(parts, "talked "+migration.Ago(durationMs(r.End-r.Answer)))
	}
	if r.HungUp != "" {
		parts = append(parts, r.HungUp+" hung up")
	}
	if r.Cause != "" {
		parts = append(parts, r.Cause)
	}
	fmt.Fprintf(w, "  %s\n", strings.Join(parts, "   "))
	if len(r.Tried) > 0 {
		fmt.Fprintf(w, "  given up before: %s\n", triedWords(r.Tried))
	}
	if r.FromE164 != "" || r.ToE164 != "" {
		fmt.Fprintf(w, "  numbers %s -> %s\n", dash(r.FromE164), dash(r.ToE164))
	}
	for _, line := range soundLines(r.Media) {
		fmt.Fprintf(w, "  %s\n", line)
	}
}

// triedWords lists the targets that a call left behind, in order: "core core-1 (timeout), core core-2 (503)".
func triedWords(tried []callrecord.Attempt) string {
	words := make([]string, len(tried))
	for i, t := range tried {
		why := t.Cause
		if t.Code != 0 {
			why = strconv.Itoa(t.Code)
		}
		words[i] = fmt.Sprintf("%s %s (%s)", t.Platform, t.Target, why)
	}
	return strings.Join(words, ", ")
}
