//go:build interop

package interop

import (
	"net"
	"strings"
	"testing"
	"time"
)

// A dark core whose trunk is not the sink: its canary comes back to an edge's own listener, from itself or by way of somebody who knows
// nothing of copies. The edge refuses it, no phone and no platform gets it, mirroring stops for good, and everybody can see that; the
// live calls go on.
func TestShadowEscapes(t *testing.T) {
	for _, c := range []struct {
		name, cause string
		trunk       func(t *testing.T, w *shadowed) string
	}{
		{"outside", "dark_source", func(_ *testing.T, w *shadowed) string { return w.edge.outside }},
		{"inside", "dark_source", func(_ *testing.T, w *shadowed) string { return w.edge.inside }},
		{"stranger outside", "shadow_mark", func(t *testing.T, w *shadowed) string { return startStranger(t, w.edge.outside) }},
		{"stranger inside", "shadow_mark", func(t *testing.T, w *shadowed) string { return startStranger(t, w.edge.inside) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newHoled(t, func(w *shadowed) string { return c.trunk(t, w) })
			await(t, 30*time.Second, "the escape to be seen", func() bool {
				m := w.edge.mirrored().Mirror
				return m.Stopped != "" && m.Escaped > 0
			})
			text, err := w.edge.client.Metrics(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"hotcut_shadow_stopped 1", `hotcut_refused_total{cause="` + c.cause + `"}`} {
				if !strings.Contains(string(text), want) || strings.Contains(string(text), want+" 0\n") {
					t.Errorf("no %s in the metrics", want)
				}
			}
			if _, _, said := w.run("status"); !strings.Contains(said, "has stopped mirroring by itself") {
				t.Errorf("status does not say that mirroring has stopped:\n%s", said)
			}
			for _, d := range []*device{w.bob, w.carol, w.dave} {
				if n := d.count(func(m *message) bool { return m.method() == "INVITE" }); n > 0 {
					t.Errorf("%s rang %d times", d.user, n)
				}
			}
			for _, e := range w.legacy.journal("") {
				if e.method == "INVITE" {
					t.Errorf("legacy got a call: %+v", e)
				}
			}
			before := len(w.copies())
			w.busyAlone()
			if n := len(w.copies()); n != before {
				t.Errorf("%d calls were copied after the escape", n-before)
			}
		})
	}
}

// startStranger is somebody who passes what comes on to an address, as it is.
func startStranger(t *testing.T, to string) string {
	t.Helper()
	at, err := net.ResolveUDPAddr("udp", to)
	if err != nil {
		t.Fatal(err)
	}
	d := startDark(t, freeAddr(t), func(d *darkUA, _ net.Addr, raw string) { d.send(at, raw) })
	return d.conn.LocalAddr().String()
}
