package lab

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
)

// registers sends a raw REGISTER through the rules of the registrar, without a network.
func registers(t *testing.T, s *Switch, now time.Time, headers string) (string, []Binding) {
	t.Helper()
	req := parse[*sip.Request](t, "REGISTER sip:acme.example SIP/2.0\r\n"+
		"Via: SIP/2.0/UDP 10.0.0.8;branch=z9hG4bK1\r\nFrom: <sip:bob@acme.example>;tag=1\r\nTo: <sip:bob@ACME.example>\r\n"+
		headers+"Content-Length: 0\r\n\r\n")
	g, bad := s.asked(req, keyOf(req.To().Address), "open", now)
	var bound []Binding
	if bad == nil {
		bound, bad = s.reg.update(g, now)
	}
	if bad != nil {
		return fmt.Sprint(bad.code), bound
	}
	return "200", bound
}

func shown(list []Binding) string {
	var lines []string
	for _, b := range list {
		lines = append(lines, fmt.Sprintf("%s %s/%d %s", b.Contact, b.CallID, b.CSeq, b.Granted))
	}
	return strings.Join(lines, ", ")
}

func quietSwitch(t *testing.T, o SwitchOptions) *Switch {
	t.Helper()
	o.Platform, o.IP = "legacy", loopback
	s, err := NewSwitch(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.udp.Close(); s.tcp.Close(); s.ua.Close() })
	return s
}

// Each step is one REGISTER, one second after the one before: its headers, the code, and what is bound after it.
func TestRegistrarRules(t *testing.T) {
	type step struct{ headers, code, bound string }
	const one, two = "Call-ID: one\r\n", "Call-ID: two\r\n"
	cseq := func(n int) string { return fmt.Sprintf("CSeq: %d REGISTER\r\n", n) }
	for name, c := range map[string]struct {
		options SwitchOptions
		steps   []step
	}{
		"several contacts, each with its expiry": {SwitchOptions{}, []step{
			{one + cseq(1) + "Contact: <sip:bob@10.0.0.8>;expires=60;q=0.5, <sip:bob@10.0.0.9>\r\nExpires: 90\r\n", "200",
				"sip:bob@10.0.0.8 one/1 1m0s, sip:bob@10.0.0.9 one/1 1m30s"},
			{one + cseq(2) + "Contact: <sip:bob@10.0.0.8>;expires=0\r\n", "200", "sip:bob@10.0.0.9 one/1 1m30s"},
		}},
		"expiry is cut, and one hour by default": {SwitchOptions{}, []step{
			{one + cseq(1) + "Contact: <sip:bob@10.0.0.8>\r\nExpires: 86400\r\n", "200", "sip:bob@10.0.0.8 one/1 1h0m0s"},
			{one + cseq(2) + "Contact: <sip:bob@10.0.0.8>\r\n", "200", "sip:bob@10.0.0.8 one/2 1h0m0s"},
		}},
		"bindings expire": {SwitchOptions{}, []step{
			{one + cseq(1) + "Contact: <sip:bob@10.0.0.8>;expires=1\r\n", "200", "sip:bob@10.0.0.8 one/1 1s"},
			{two + cseq(1) + "Contact: <sip:bob@10.0.0.9>\r\n", "200", "sip:bob@10.0.0.9 two/1 1h0m0s"},
		}},
		"a lower CSeq of the same Call-ID changes nothing at all": {SwitchOptions{}, []step{
			{one + cseq(5) + "Contact: <sip:bob@10.0.0.8>\r\n", "200", "sip:bob@10.0.0.8 one/5 1h0m0s"},
			{one + cseq(5) + "Contact: <sip:bob@10.0.0.9>, <sip:bob@10.0.0.8>\r\n", "400", "sip:bob@10.0.0.8 one/5 1h0m0s"},
			{one + cseq(4) + "Contact: *\r\nExpires: 0\r\n", "400", "sip:bob@10.0.0.8 one/5 1h0m0s"},
			{two + cseq(1) + "Contact: <sip:bob@10.0.0.8>\r\n", "200", "sip:bob@10.0.0.8 two/1 1h0m0s"},
		}},
		"an un-REGISTER and a REGISTER right after it": {SwitchOptions{}, []step{
			{one + cseq(1) + "Contact: <sip:bob@10.0.0.8>\r\n", "200", "sip:bob@10.0.0.8 one/1 1h0m0s"},
			{one + cseq(2) + "Contact: <sip:bob@10.0.0.8>\r\nExpires: 0\r\n", "200", ""},
			{one + cseq(3) + "Contact: <sip:bob@10.0.0.8>\r\n", "200", "sip:bob@10.0.0.8 one/3 1h0m0s"},
		}},
		"Contact: *": {SwitchOptions{}, []step{
			{one + cseq(1) + "Contact: <sip:bob@10.0.0.8>, <sip:bob@10.0.0.9>\r\n", "200",
				"sip:bob@10.0.0.8 one/1 1h0m0s, sip:bob@10.0.0.9 one/1 1h0m0s"},
			{one + cseq(2) + "Contact: *\r\n", "400", ""},
			{one + cseq(3) + "Contact: *, <sip:bob@10.0.0.8>\r\nExpires: 0\r\n", "400", ""},
			{one + cseq(4) + "Contact: *\r\nExpires: 0\r\n", "200", ""},
		}},
		"too brief": {SwitchOptions{MinExpires: time.Minute}, []step{
			{one + cseq(1) + "Contact: <sip:bob@10.0.0.8>;expires=59\r\n", "423", ""},
			{one + cseq(2) + "Contact: <sip:bob@10.0.0.8>;expires=60\r\n", "200", "sip:bob@10.0.0.8 one/2 1m0s"},
			{one + cseq(3) + "Contact: <sip:bob@10.0.0.8>;expires=0\r\n", "200", ""},
		}},
		"expiries that are none": {SwitchOptions{}, []step{
			{one + cseq(1) + "Contact: <sip:bob@10.0.0.8>\r\nExpires: 4294967296\r\n", "400", ""},
			{one + cseq(2) + "Contact: <sip:bob@10.0.0.8>;expires=soon\r\n", "400", ""},
		}},
		"the same Contact under two Call-IDs: by URI": {SwitchOptions{}, []step{
			{one + cseq(1) + "Contact: <sip:bob@10.0.0.8>\r\n", "200", "sip:bob@10.0.0.8 one/1 1h0m0s"},
			{two + cseq(1) + "Contact: <sip:bob@10.0.0.8>\r\n", "200", "sip:bob@10.0.0.8 two/1 1h0m0s"},
		}},
		"the same Contact under two Call-IDs: by Call-ID": {SwitchOptions{MatchCallID: true}, []step{
			{one + cseq(1) + "Contact: <sip:bob@10.0.0.8>\r\n", "200", "sip:bob@10.0.0.8 one/1 1h0m0s"},
			{two + cseq(1) + "Contact: <sip:bob@10.0.0.8>\r\n", "200", "sip:bob@10.0.0.8 one/1 1h0m0s, sip:bob@10.0.0.8 two/1 1h0m0s"},
		}},
		"one instance with a new address": {SwitchOptions{}, []step{
			{one + cseq(1) + `Contact: <sip:bob@10.0.0.8>;+sip.instance="<urn:a>";reg-id=1` + "\r\n", "200", "sip:bob@10.0.0.8 one/1 1h0m0s"},
			{two + cseq(1) + `Contact: <sip:bob@10.0.0.9>;+sip.instance="<urn:a>";reg-id=1` + "\r\n", "200", "sip:bob@10.0.0.9 two/1 1h0m0s"},
			{two + cseq(2) + `Contact: <sip:bob@10.0.0.10>;+sip.instance="<urn:b>";reg-id=1` + "\r\n", "200",
				"sip:bob@10.0.0.9 two/1 1h0m0s, sip:bob@10.0.0.10 two/2 1h0m0s"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := quietSwitch(t, c.options)
			now := time.Unix(1_000_000, 0)
			for i, st := range c.steps {
				code, bound := registers(t, s, now, st.headers)
				if code != st.code || (code == "200" || st.bound != "") && shown(bound) != st.bound {
					t.Errorf("step %d: %s [%s], want %s [%s]", i+1, code, shown(bound), st.code, st.bound)
				}
				now = now.Add(time.Second)
			}
		})
	}
}

func TestRegistrarIsBounded(t *testing.T) {
	s := quietSwitch(t, SwitchOptions{})
	now := time.Now()
	for i := range registrarContacts + 1 {
		code, _ := registers(t, s, now, fmt.Sprintf("Call-ID: one\r\nCSeq: %d REGISTER\r\nContact: <sip:bob@10.0.0.%d>\r\n", i+1, i+1))
		if want := i < registrarContacts; (code == "200") != want {
			t.Errorf("contact %d: %s", i+1, code)
		}
	}
	for i := range registrarAORs {
		s.reg.bindings[fmt.Sprintf("u%d@acme.example", i)] = []Binding{{Expires: now.Add(time.Hour)}}
	}
	delete(s.reg.bindings, "bob@acme.example")
	if code, _ := registers(t, s, now, "Call-ID: one\r\nCSeq: 99 REGISTER\r\nContact: <sip:bob@10.0.0.1>\r\n"); code != "503" {
		t.Errorf("one address-of-record too many: %s", code)
	}
	if code, _ := registers(t, s, now, "Call-ID: one\r\nCSeq: 100 REGISTER\r\nContact: <sip:bob@10.0.0.1>\r\nExpires: 0\r\n"); code != "200" {
		t.Errorf("nothing to remove: %s", code)
	}
}

func TestPathIsKeptUnlessTheSwitchDoesNotKnowIt(t *testing.T) {
	const headers = "Call-ID: one\r\nCSeq: 1 REGISTER\r\nSupported: path\r\n" +
		"Path: <sip:f1@10.0.0.1;lr>, <sip:f2@10.0.0.2:5070;lr;transport=tcp>\r\nContact: <sip:bob@10.0.0.8>\r\n"
	_, bound := registers(t, quietSwitch(t, SwitchOptions{}), time.Now(), headers)
	want := []string{"sip:f1@10.0.0.1;lr", "sip:f2@10.0.0.2:5070;lr;transport=tcp"}
	if len(bound) != 1 || !slices.Equal(bound[0].Path, want) {
		t.Errorf("bound %+v, want the path %v", bound, want)
	}
	if _, bound = registers(t, quietSwitch(t, SwitchOptions{NoPath: true}), time.Now(), headers); len(bound) != 1 || bound[0].Path != nil {
		t.Errorf("bound %+v, want no path", bound)
	}
}
