package lab

import (
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"
)

// An INVITE and its 200 as two proxies left them: p1 is nearer to the caller.
const (
	routedInvite = "INVITE sip:bob@10.0.0.9:5062 SIP/2.0\r\n" +
		"Via: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK1\r\n" +
		"Record-Route: <sip:p2@10.0.0.2;lr>, <sip:p1@10.0.0.1:5070;transport=tcp;lr>\r\n" +
		"From: <sip:alice@acme.example>;tag=a1\r\nTo: <sip:bob@acme.example>\r\nCall-ID: c1\r\nCSeq: 7 INVITE\r\n" +
		"Max-Forwards: 68\r\nContact: <sip:alice@10.0.0.8:5061>\r\nContent-Length: 0\r\n\r\n"
	routedOK = "SIP/2.0 200 OK\r\n" +
		"Via: SIP/2.0/UDP 10.0.0.8:5061;branch=z9hG4bK0\r\n" +
		"Record-Route: <sip:p2@10.0.0.2;lr>\r\nRecord-Route: <sip:p1@10.0.0.1:5070;transport=tcp;lr>\r\n" +
		"From: <sip:alice@acme.example>;tag=a1\r\nTo: <sip:bob@acme.example>;tag=b1\r\nCall-ID: c1\r\nCSeq: 7 INVITE\r\n" +
		"Contact: <sip:bob@10.0.0.9:5062>\r\nContent-Length: 0\r\n\r\n"
)

func parse[M sip.Message](t *testing.T, raw string) M {
	t.Helper()
	m, err := sip.NewParser().ParseSIP([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return m.(M)
}

func routeLines(req *sip.Request) string {
	var lines []string
	for _, h := range req.GetHeaders("Route") {
		lines = append(lines, h.Value())
	}
	return strings.Join(lines, " ")
}

func TestCallerFollowsTheRouteSetBackwards(t *testing.T) {
	req, res := parse[*sip.Request](t, routedInvite), parse[*sip.Response](t, routedOK)
	d := callerDialog(req, res, sip.Uri{Scheme: "sip", User: "alice", Host: "10.0.0.8", Port: 5061})
	ack, bye := d.request(sip.ACK), d.request(sip.BYE)
	if got, want := routeLines(bye), "<sip:p1@10.0.0.1:5070;transport=tcp;lr> <sip:p2@10.0.0.2;lr>"; got != want {
		t.Errorf("Route %s, want %s", got, want)
	}
	if got := bye.Recipient.String(); got != "sip:bob@10.0.0.9:5062" {
		t.Errorf("Request-URI %s is not the callee's Contact", got)
	}
	if bye.Destination() != "10.0.0.1:5070" || bye.Transport() != "TCP" {
		t.Errorf("goes to %s by %s, want the first Route by TCP", bye.Destination(), bye.Transport())
	}
	if ack.CSeq().SeqNo != 7 || bye.CSeq().SeqNo != 8 || bye.CSeq().MethodName != sip.BYE {
		t.Errorf("CSeq of ACK %v and BYE %v, want 7 and 8", ack.CSeq(), bye.CSeq())
	}
	if bye.From().Params.GetOr("tag", "") != "a1" || bye.To().Params.GetOr("tag", "") != "b1" {
		t.Errorf("tags: From %v, To %v", bye.From(), bye.To())
	}
}

func TestCalleeFollowsTheRouteSetForwards(t *testing.T) {
	req := parse[*sip.Request](t, routedInvite)
	d := calleeDialog(req, "b1", sip.Uri{Scheme: "sip", User: "bob", Host: "10.0.0.9", Port: 5062})
	bye := d.request(sip.BYE)
	if got, want := routeLines(bye), "<sip:p2@10.0.0.2;lr> <sip:p1@10.0.0.1:5070;transport=tcp;lr>"; got != want {
		t.Errorf("Route %s, want %s", got, want)
	}
	if got := bye.Recipient.String(); got != "sip:alice@10.0.0.8:5061" {
		t.Errorf("Request-URI %s is not the caller's Contact", got)
	}
	if bye.Destination() != "10.0.0.2:5060" || bye.Transport() != "UDP" {
		t.Errorf("goes to %s by %s, want the first Route by UDP", bye.Destination(), bye.Transport())
	}
	if bye.From().Params.GetOr("tag", "") != "b1" || bye.To().Params.GetOr("tag", "") != "a1" {
		t.Errorf("tags: From %v, To %v", bye.From(), bye.To())
	}
}

func TestStrictRouterTakesTheRequestURI(t *testing.T) {
	raw := strings.Replace(routedInvite, "<sip:p2@10.0.0.2;lr>", "<sip:p2@10.0.0.2>", 1)
	d := calleeDialog(parse[*sip.Request](t, raw), "b1", sip.Uri{Scheme: "sip", Host: "10.0.0.9"})
	bye := d.request(sip.BYE)
	if got := bye.Recipient.String(); got != "sip:p2@10.0.0.2" {
		t.Errorf("Request-URI %s, want the strict router", got)
	}
	if got, want := routeLines(bye), "<sip:p1@10.0.0.1:5070;transport=tcp;lr> <sip:alice@10.0.0.8:5061>"; got != want {
		t.Errorf("Route %s, want %s", got, want)
	}
	if bye.Destination() != "10.0.0.2:5060" {
		t.Errorf("goes to %s", bye.Destination())
	}
}

func TestPathElements(t *testing.T) {
	req := sip.NewRequest(sip.REGISTER, sip.Uri{Scheme: "sip", Host: "acme.example"})
	req.AppendHeader(sip.NewHeader("Path", "<sip:f1@10.0.0.1;lr>, <sip:f2@10.0.0.2:5070;lr;transport=tcp>"))
	req.AppendHeader(sip.NewHeader("Path", "nonsense"))
	got := paths(req)
	if len(got) != 2 || got[0].User != "f1" || got[1].Port != 5070 {
		t.Errorf("paths %v", got)
	}
}
