package lab

import (
	"sync"

	"github.com/emiago/sipgo/sip"
)

// dialog is one end of a dialog as RFC 3261 section 12 keeps it.
type dialog struct {
	callID    string
	local     sip.FromHeader // our party: From of what we send
	remote    sip.ToHeader
	target    sip.Uri   // remote target: the peer's Contact
	routes    []sip.Uri // route set, in the order in which we send it
	transport string
	hop       string // where the initial request went; used only while the route set is empty
	contact   sip.Uri

	mu   sync.Mutex // guards cseq
	cseq uint32
}

// callerDialog is the state of who sent the INVITE, after a 2xx (section 12.1.2): the route set is the Record-Route
// of the response in reverse order.
func callerDialog(req *sip.Request, res *sip.Response, contact sip.Uri) *dialog {
	d := &dialog{
		callID: req.CallID().Value(), local: *req.From(), remote: *res.To(), target: req.Recipient,
		transport: req.Transport(), hop: req.Destination(), contact: contact, cseq: req.CSeq().SeqNo,
	}
	if c := res.Contact(); c != nil {
		d.target = c.Address
	}
	d.routes = recordRoutes(res)
	for i, j := 0, len(d.routes)-1; i < j; i, j = i+1, j-1 {
		d.routes[i], d.routes[j] = d.routes[j], d.routes[i]
	}
	return d
}

// calleeDialog is the state of who answers (section 12.1.1): the Record-Route of the request as it stands.
func calleeDialog(req *sip.Request, tag string, contact sip.Uri) *dialog {
	local := sip.FromHeader{DisplayName: req.To().DisplayName, Address: req.To().Address, Params: sip.NewParams()}
	local.Params.Add("tag", tag)
	d := &dialog{
		callID: req.CallID().Value(), local: local, remote: req.From().AsTo(), target: req.From().Address,
		transport: req.Transport(), hop: req.Source(), contact: contact,
	}
	if c := req.Contact(); c != nil {
		d.target = c.Address
	}
	d.routes = recordRoutes(req)
	return d
}

func recordRoutes(m sip.Message) []sip.Uri {
	var routes []sip.Uri
	for _, h := range m.GetHeaders("Record-Route") {
		if rr, ok := h.(*sip.RecordRouteHeader); ok {
			routes = append(routes, rr.Address)
		}
	}
	return routes
}

// ack returns a maker of the ACKs of an INVITE (section 13.2.2.4): one for each time that its 2xx comes.
func (d *dialog) ack(invite uint32) func() *sip.Request {
	return func() *sip.Request {
		req := d.request(sip.ACK)
		req.CSeq().SeqNo = invite
		return req
	}
}

// request builds the next request inside the dialog (section 12.2.1.1).
func (d *dialog) request(method sip.RequestMethod) *sip.Request {
	d.mu.Lock()
	if method != sip.ACK {
		d.cseq++
	}
	cseq := d.cseq
	d.mu.Unlock()

	target, routes := d.target, d.routes
	if len(routes) > 0 && !routes[0].UriParams.Has("lr") { // a strict router: it takes the Request-URI's place
		target = routes[0]
		routes = append(append([]sip.Uri{}, routes[1:]...), d.target)
	}
	req := sip.NewRequest(method, target)
	for _, r := range routes {
		req.AppendHeader(&sip.RouteHeader{Address: r})
	}
	local, remote := d.local, d.remote
	callID, maxForwards := sip.CallIDHeader(d.callID), sip.MaxForwardsHeader(70)
	req.AppendHeader(&local)
	req.AppendHeader(&remote)
	req.AppendHeader(&callID)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: cseq, MethodName: method})
	req.AppendHeader(&maxForwards)
	req.AppendHeader(contactHeader(d.contact))
	switch {
	case len(d.routes) > 0:
		req.SetDestination(hostPort(d.routes[0]))
		req.SetTransport(transportOf(d.routes[0]))
	case d.hop != "":
		req.SetDestination(d.hop) // no proxy stayed in the path: the way the dialog was made still works
		req.SetTransport(d.transport)
	}
	return req
}

func hostPort(u sip.Uri) string {
	if u.Port == 0 {
		u.Port = 5060
	}
	return u.HostPort()
}

func transportOf(u sip.Uri) string {
	if t, ok := u.UriParams.Get("transport"); ok {
		return sip.NetworkToUpper(t)
	}
	return "UDP"
}
