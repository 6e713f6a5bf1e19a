package record

import (
	"slices"
	"strings"
	"time"

	"github.com/hotcut/hotcut/proxy/wire"
)

// nearLeg reads what the platform made of the request towards the one who sent it.
func (o *reading) nearLeg() {
	c, l := o.c, o.near
	first := l.first
	c.At, c.Method, o.from = l.at, first.method(), first.at
	c.Caller = o.r.Address(string(first.From.URI.Of(first.Raw)))
	c.Called = o.r.Address(string(first.RequestURI.Of(first.Raw)))
	outcome, final := l.outcome(o.p)
	c.Outcome = outcome
	c.Offer = first.sdp()
	for _, m := range l.responses() {
		o.response(m)
	}
	c.Times.Final = o.timeOf(final)
	if final != nil {
		c.Timer = timer(final)
		c.Supported = supported(final)
		if outcome.Class == Answered {
			c.Times.Answer = c.Times.Final
			if c.Answer = final.sdp(); c.Answer == nil {
				c.Answer = c.Early.Media // in a reliable provisional response (RFC 3262 section 5)
			}
		}
		if c.Method == "REGISTER" {
			c.Register = o.register(final)
		}
	}
	for _, m := range l.messages {
		o.later(m, final)
	}
	c.Early.Codes, c.Require, c.Alert = set(c.Early.Codes), set(c.Require), setOfAlerts(c.Alert)
	slices.Sort(c.Warning)
	slices.Sort(c.RetryAfter)
}

// response reads one to the initial request.
func (o *reading) response(m *message) {
	c := o.c
	if c.Times.FirstAnswer == 0 {
		c.Times.FirstAnswer = o.since(m.at)
	}
	provisional := m.Status > 100 && m.Status < 200
	require := lowered(m.values(wire.HRequire))
	if provisional {
		if m.Status/10 == 18 {
			c.Early.Codes = append(c.Early.Codes, m.Status)
		}
		if d := m.sdp(); d != nil && c.Early.Media == nil {
			c.Early.Media = d
		}
		if c.Times.Ring == 0 && (m.Status == 180 || m.Status == 183) {
			c.Times.Ring = o.since(m.at)
		}
		c.Rel100 = c.Rel100 || slices.Contains(require, "100rel")
	}
	c.Require = append(c.Require, require...)
	c.Alert = append(c.Alert, o.alerts(m)...)
	for _, s := range m.values(wire.HWarning) {
		if n, ok := seconds([]byte(s)); ok {
			c.Warning = append(c.Warning, n)
		}
	}
	if m.Find(wire.HRetryAfter) >= 0 {
		c.RetryAfter = append(c.RetryAfter, m.number(wire.HRetryAfter))
	}
	if m.Status == 422 {
		c.Timer.MinSE = m.number(wire.HMinSE)
	}
	if provisional && m.Status != 100 || m.Status/100 == 2 {
		if who := o.connected(m); who.PAI != nil || who.RPID != nil || who.Privacy != nil {
			c.Connected = who
		}
	}
}

// later reads what came beside the responses: reasons, NOTIFYs, the end.
func (o *reading) later(m, final *message) {
	c := o.c
	if m.upstream {
		c.Reason = append(c.Reason, m.values(wire.HReason)...)
	}
	switch {
	case m.upstream && m.Is("NOTIFY"):
		o.notify(m)
	case m.Is("BYE") && c.End.By == "":
		if c.End.By = "caller"; m.upstream {
			c.End.By = "called"
		}
		if final != nil {
			c.End.After = max(1, time.Duration(m.at-final.at))
		}
	}
}

func (o *reading) timeOf(m *message) time.Duration {
	if m == nil {
		return 0
	}
	return o.since(m.at)
}

// supported are the option tags by which the other side behaves.
func supported(m *message) []string {
	var all []string
	for _, s := range m.values(wire.HSupported) {
		if t := behaviour.word([]byte(s)); t != "" {
			all = append(all, t)
		}
	}
	return set(all)
}

func timer(m *message) SessionTimer {
	value := m.value(wire.HSessionExpires)
	t := SessionTimer{Expires: m.number(wire.HSessionExpires), MinSE: m.number(wire.HMinSE)}
	if v, ok := wire.Param([]byte(value), "refresher"); ok {
		t.Refresher = string(v)
	}
	return t
}

// alerts are the ring and answer headers of a message.
func (o *reading) alerts(m *message) []Alert {
	var all []Alert
	for _, id := range []wire.HeaderID{wire.HAlertInfo, wire.HCallInfo} {
		for _, s := range m.values(id) {
			a := o.r.readAlert([]byte(s))
			a.Header = id.String()
			all = append(all, a)
		}
	}
	for i, h := range m.Headers {
		if name := string(h.Name.Of(m.Raw)); h.ID == wire.HOther && strings.HasSuffix(name, "Answer-Mode") {
			all = append(all, Alert{Header: name, Ring: strings.ToLower(string(m.Value(i)))})
		}
	}
	return all
}

func setOfAlerts(list []Alert) []Alert {
	key := func(a Alert) string { return a.Header + " " + a.Ring + " " + strings.Join(a.Params, ";") }
	slices.SortFunc(list, func(a, b Alert) int { return strings.Compare(key(a), key(b)) })
	return slices.CompactFunc(list, func(a, b Alert) bool { return key(a) == key(b) })
}

// count counts what nothing on the other side explains.
func (o *reading) count() {
	unexpected := func(what string, n int) {
		if n == 0 {
			return
		}
		if o.c.Unexpected == nil {
			o.c.Unexpected = map[string]int{}
		}
		o.c.Unexpected[what] += n
	}
	for _, l := range append([]*leg{o.near}, o.far...) {
		unexpected("unreadable", l.broken)
		if l.Unexpected && l.first != nil {
			unexpected(l.first.method(), 1)
			continue
		}
		for _, m := range l.messages {
			if m.unexpected && m.Request {
				unexpected(m.method(), 1)
			}
		}
	}
}
