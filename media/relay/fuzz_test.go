package relay

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hotcut/hotcut/media"
)

// Whatever two parties say to each other: nothing panics, what is not ours stays as it is, and the end of the dialog gives
// everything back.
func FuzzDescribe(f *testing.F) {
	files, _ := filepath.Glob("testdata/calls/*.txt")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var bodies [][]byte
		for _, part := range strings.Split(string(text), "\nv=0\n")[1:] {
			body, _, _ := strings.Cut(part, "\n.\n")
			bodies = append(bodies, []byte(strings.ReplaceAll("v=0\n"+body+"\n", "\n", "\r\n")))
		}
		for i := 1; i < len(bodies); i++ {
			f.Add(bodies[i-1], bodies[i], uint8(i))
		}
	}
	var r *Relay
	f.Fuzz(func(t *testing.T, first, second []byte, stages uint8) {
		if r == nil {
			e, err := media.New(media.Options{Outside: loopback(2), Inside: loopback(3)})
			if err != nil {
				t.Fatal(err)
			}
			r = New(Options{Engine: e}) // without Run: what would be mail to a thread is done at once
		}
		k := Key{"fuzz", "1"}
		talk := []Description{
			{SDP: first, From: media.Outside, Stage: Offer, Signalling: loopback(9)},
			{SDP: second, From: media.Inside, Stage: Early, Tag: "a"},
			{SDP: first, From: media.Inside, Stage: Final, Tag: "b"},
			{SDP: second, From: media.Leg(stages & 1), Stage: Stage(stages >> 1 % 5), Tag: "b"},
			{SDP: first, From: media.Leg(stages >> 4 & 1), Stage: Request, SourceAddress: true},
		}
		for i, d := range talk {
			out, v := r.Describe(nil, k, d)
			if v.Outcome != Anchored && !bytes.Equal(out, d.SDP) {
				t.Errorf("%d: %v, and it was changed", i, v.Outcome)
			}
			if got, want := foreign(out), foreign(d.SDP); !bytes.Equal(got, want) {
				t.Errorf("%d: was\n%s\nis\n%s", i, d.SDP, out)
			}
			if stages&0x80 != 0 {
				r.Failed(k)
			}
		}
		r.End(k)
		r.Failed(k)
		if n := r.engine.Counters().Sessions; n != 0 || r.Len() != 0 || len(r.own) != 0 {
			t.Fatalf("%d sessions, %d dialogs, %d addresses are left", n, r.Len(), len(r.own))
		}
	})
}

// foreign is what of a body can not be ours.
func foreign(body []byte) (rest []byte) {
	for line := range bytes.Lines(body) {
		ours := false
		for _, p := range []string{"c=", "m=", "a=rtcp:"} {
			ours = ours || bytes.HasPrefix(line, []byte(p))
		}
		if !ours {
			rest = append(append(rest, bytes.TrimRight(line, "\r\n")...), '\n')
		}
	}
	return rest
}
