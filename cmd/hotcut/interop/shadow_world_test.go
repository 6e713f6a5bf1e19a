//go:build interop

package interop

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/migration/shadow"
	"github.com/hotcut/hotcut/migration/shadow/compare"
	"github.com/hotcut/hotcut/migration/shadow/report"
)

// darkSpeech is what phones of these tests offer and answer.
const darkSpeech = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8 101\r\n" +
	"a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"

// darkAddrs are addresses for a dark core and for the sink of an edge, each on an IP of its own: what a dark core sends is known by its IP.
func darkAddrs(t *testing.T) (dark, sink string) {
	t.Helper()
	return freeAddrOf(t, sideAddr(40)), freeAddrOf(t, sideAddr(41))
}

// darkCore is a dark core as the edge's configuration has it.
func darkCore(addr, build string) string {
	return fmt.Sprintf("{name: d1, uri: %q, build: %q}", "sip:"+addr, build)
}

// mirrored is what an edge says of its mirror.
func (e *edge) mirrored() (x struct {
	Mirror            shadow.Stats
	Compared, Missing uint64
}) {
	e.r.t.Helper()
	raw, err := e.client.Shadow(e.r.t.Context(), "acme")
	if err == nil {
		err = json.Unmarshal(raw, &x)
	}
	if err != nil {
		e.r.t.Fatalf("%s: shadow: %v", e.name, err)
	}
	return x
}

// report is what `hotcut shadow report` says.
func (r *rig) report() *report.Document {
	r.t.Helper()
	var x struct{ Data *report.Document }
	if err := json.Unmarshal([]byte(r.must("shadow", "report", "acme", "-o", "json")), &x); err != nil {
		r.t.Fatal(err)
	}
	return x.Data
}

// sampled waits until so many exchanges are in the report.
func (r *rig) sampled(n uint64) (d *report.Document) {
	r.t.Helper()
	await(r.t, 60*time.Second, fmt.Sprintf("%d calls in the report", n), func() bool {
		d = r.report()
		return d.Sampled >= n
	})
	return d
}

// grave are the clusters that are critical or major, each as "severity words".
func grave(d *report.Document) (list []string) {
	for i := range d.Clusters {
		if c := &d.Clusters[i]; c.Severity >= compare.Major {
			list = append(list, c.Severity.String()+" "+c.Words)
		}
	}
	slices.Sort(list)
	return list
}

// describe is a report's counts and clusters, for a failing test.
func describe(d *report.Document) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d sampled, %d compared\n", d.Sampled, d.Compared.Count)
	for _, m := range d.Missing {
		fmt.Fprintf(&b, "missing %d: %s\n", m.N, m.Name)
	}
	for _, m := range d.Dropped {
		fmt.Fprintf(&b, "dropped %d: %s\n", m.N, m.Name)
	}
	for i := range d.Clusters {
		c := &d.Clusters[i]
		fmt.Fprintf(&b, "%d x %s %s [%s %s %s -> %s, %s]", c.Count, c.Severity, c.Words, c.Field, c.Kind, c.From, c.To, c.Scenario)
		if len(c.Samples) > 0 {
			fmt.Fprintf(&b, " %s", c.Samples[0].Detail)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
