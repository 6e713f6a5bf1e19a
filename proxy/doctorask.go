package proxy

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/hotcut/hotcut/proxy/location"
	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

// question is one REGISTER of the doctor.
type question struct {
	by       side
	uri      string // Request-URI; "": of the domain
	callID   string
	asserted bool   // with P-Asserted-Identity
	contact  string // element; "": a query
	path     string // header lines
	expires  int
}

// reply is what came of a question.
type reply struct {
	m   *wire.Message // nil: nothing
	why cause
}

func (r reply) code() int {
	if r.m == nil {
		return 0
	}
	return r.m.Status
}

func (r reply) ok() bool { return r.code() >= 200 && r.code() < 300 }

func (r reply) challenged() bool { return r.code() == 401 || r.code() == 407 }

// String is for a finding: "200 OK", "no answer (timeout)".
func (r reply) String() string {
	if r.m == nil {
		return fmt.Sprintf("no answer (%s)", r.why)
	}
	return fmt.Sprintf("%d %s", r.m.Status, r.m.Phrase.Of(r.m.Raw))
}

// ask sends a question and waits for the answer, for a transaction's time-out at most.
func (p *patient) ask(ctx context.Context, q question) reply { return p.send(ctx, q, "") }

// register is ask as the keeper would be let in: asserted where the target trusts us, by digest where it does not.
func (p *patient) register(ctx context.Context, q question) reply {
	q.by, q.asserted = own, p.target.keep == keepTrust
	r := p.ask(ctx, q)
	if !r.challenged() || p.target.keep != keepDigest {
		return r
	}
	if line, ok := p.credentials(r.m); ok {
		return p.send(ctx, q, line)
	}
	return r
}

func (p *patient) send(ctx context.Context, q question, authorization string) reply {
	got := make(chan reply, 1)
	p.sequence++
	n := p.sequence
	build := func(dst, via []byte) []byte { return p.append(dst, via, q, n, authorization) }
	done := func(_ int64, m *wire.Message, why cause, _ *transport.Out) {
		r := reply{why: why}
		if m != nil {
			r.m = new(wire.Message)
			r.m.Scan(append([]byte(nil), m.Raw...), &p.edge.limits)
		}
		got <- r
	}
	if !p.edge.own.send(p.edge.now(), p.topo, p.index, q.by, build, done, p.out) {
		return reply{why: causeNoTarget}
	}
	p.out.Flush()
	select {
	case r := <-got:
		return r
	case <-ctx.Done():
		return reply{why: causeTimeout}
	}
}

func (p *patient) append(dst, via []byte, q question, cseq uint32, authorization string) []byte {
	uri := q.uri
	if uri == "" {
		uri = "sip:" + p.host
	}
	dst = append(append(append(dst, "REGISTER "...), uri...), " SIP/2.0\r\n"...)
	dst = append(append(dst, via...), "Max-Forwards: 70\r\n"...)
	dst = fmt.Appendf(dst, "From: <%s>;tag=%s\r\nTo: <%s>\r\nCall-ID: %s\r\nCSeq: %d REGISTER\r\n", p.uri(), hex.EncodeToString([]byte(q.callID)[:4]), p.uri(), q.callID, cseq)
	if q.contact != "" {
		dst = append(append(append(dst, "Contact: "...), q.contact...), "\r\n"...)
		dst = append(dst, q.path...)
		dst = append(strconv.AppendInt(append(dst, "Expires: "...), int64(q.expires), 10), "\r\n"...)
	}
	if q.asserted {
		dst = append(append(append(dst, "P-Asserted-Identity: <"...), p.uri()...), ">\r\n"...)
	}
	dst = append(dst, authorization...)
	return append(dst, "Content-Length: 0\r\n\r\n"...)
}

// credentials answer a challenge with what the secrets file has for the test user.
func (p *patient) credentials(m *wire.Message) (string, bool) {
	id := wire.HWWWAuthenticate
	if m.Status == 407 {
		id = wire.HProxyAuthenticate
	}
	v := &visit{topo: p.topo, target: p.index, b: &location.Binding{To: p.uri(), AoR: p.user + "@" + p.host}, proxied: m.Status == 407, nc: 1}
	for i := range m.Headers {
		if m.Headers[i].ID != id {
			continue
		}
		v.challenge = string(m.AppendUnfolded(nil, m.Headers[i].Value))
		if line, err := p.edge.keeper.authorization(v); err == nil && line != "" {
			return line, true
		}
	}
	return "", false
}
