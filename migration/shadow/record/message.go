package record

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"

	"github.com/hotcut/hotcut/proxy/wire"
)

// Message is a redacted copy of a message, still SIP: written anew from a list of what may stay (words.go), one line for
// each header field, in the order in which the fields came, long names. Everything else goes: display names (that there
// was one stays), credentials, nonces, keys, text, dates, products, unknown headers, bodies of unknown types. CSeq and
// RSeq keep four digits, times four significant ones. What does not scan gives nil. A copy of a copy is the same copy.
func (r *Redactor) Message(raw []byte) []byte {
	var m *wire.Message
	if r.mem != nil {
		m = &r.mem.m
	} else {
		m = new(wire.Message)
	}
	if m.Scan(raw, nil) != wire.FaultNone {
		return nil
	}
	if slices.ContainsFunc(m.Headers, func(h wire.Header) bool { return h.Folded }) {
		var s wire.Splice
		s.Reset(m)
		unfolded := s.AppendTo(nil)
		if m.Scan(unfolded, nil) != wire.FaultNone {
			return nil
		}
	}
	contentType, body := r.body(m)
	w := writer{r: r, m: m, out: make([]byte, 0, 1024)}
	w.startLine()
	var seen [256]bool
	for i, h := range m.Headers {
		if h.ID != wire.HOther && seen[h.ID] {
			continue
		}
		seen[h.ID] = true
		w.header(i)
	}
	if contentType != "" {
		w.line("Content-Type", contentType)
	}
	w.line("Content-Length", strconv.Itoa(len(body)))
	w.out = append(w.out, "\r\n"...)
	return append(w.out, body...)
}

// Exchange is x as it may be kept: with redacted messages, targets and Call-ID. Messages that do not scan are left empty; an
// exchange of more than is read is incomplete. One that Exchange made stays the same, with its messages.
func (r *Redactor) Exchange(x *Exchange) *Exchange {
	if x.redacted {
		return x
	}
	r = r.remembering()
	out := *x
	out.redacted = true
	out.CallID = r.CallID(x.CallID)
	out.Near = r.leg(&x.Near)
	out.Far = make([]Leg, 0, min(len(x.Far), maxLegs))
	large := len(x.Far) > maxLegs || len(x.Near.Messages) > maxMessages
	for i := range x.Far[:min(len(x.Far), maxLegs)] {
		large = large || len(x.Far[i].Messages) > maxMessages
		out.Far = append(out.Far, r.leg(&x.Far[i]))
	}
	if large {
		out.Incomplete = cmp.Or(x.Incomplete, MissingTooLarge)
	}
	return &out
}

func (r *Redactor) leg(l *Leg) Leg {
	out := *l
	if l.Target != "" {
		out.Target = string(r.Address(l.Target))
	}
	out.Messages = slices.Clone(l.Messages[:min(len(l.Messages), maxMessages)])
	for i := range out.Messages {
		out.Messages[i].Raw = r.Message(out.Messages[i].Raw)
		r.pause()
	}
	return out
}

// writer writes one redacted message.
type writer struct {
	r   *Redactor
	m   *wire.Message
	out []byte
}

func (w *writer) startLine() {
	m := w.m
	if m.Request {
		w.out = append(w.out, method(m.Method.Of(m.Raw))...)
		w.out = append(w.out, ' ')
		w.out = append(w.out, w.r.redactURI(m.RequestURI.Of(m.Raw))...)
		w.out = append(w.out, " SIP/2.0\r\n"...)
		return
	}
	w.out = append(w.out, "SIP/2.0 "...)
	w.out = strconv.AppendInt(w.out, int64(m.Status), 10)
	w.out = append(w.out, ' ')
	w.out = append(w.out, phrases[m.Status]...)
	w.out = append(w.out, "\r\n"...)
}

// method is a method as it is compared, or "OTHER".
func method(b []byte) string {
	if s := methods[string(bytes.ToLower(b))]; s == string(b) && s != "" {
		return s
	}
	return "OTHER"
}

func (w *writer) line(name, value string) {
	w.out = append(w.out, name...)
	w.out = append(w.out, ": "...)
	w.out = append(w.out, value...)
	w.out = append(w.out, "\r\n"...)
}

// header writes the field of Headers[i] with all its lines. What a message needs to be one is written whatever the size.
func (w *writer) header(i int) {
	m, id := w.m, w.m.Headers[i].ID
	value := m.Value(i)
	switch id {
	case wire.HVia:
		w.list(i, w.via)
	case wire.HFrom:
		w.line("From", w.address(m.From, id))
	case wire.HTo:
		w.line("To", w.address(m.To, id))
	case wire.HCallID:
		w.line("Call-ID", w.r.CallID(string(m.CallID.Of(m.Raw))))
	case wire.HCSeq:
		w.line("CSeq", strconv.Itoa(int(m.CSeq%10000))+" "+method(m.CSeqMethod.Of(m.Raw)))
	default:
		if len(w.out) > maxHeaders {
			return
		}
		w.optional(i, id, value)
	}
}

func (w *writer) optional(i int, id wire.HeaderID, value []byte) {
	switch id {
	case wire.HMaxForwards:
		w.line("Max-Forwards", strconv.Itoa(w.m.MaxForwards))
	case wire.HContact, wire.HRoute, wire.HRecordRoute, wire.HPath, wire.HServiceRoute, wire.HPAI, wire.HPPI, wire.HRPID,
		wire.HPChargeInfo, wire.HDiversion, wire.HHistoryInfo, wire.HReferTo, wire.HReferredBy:
		w.list(i, func(e wire.Elem) string { return w.elem(e, id) })
	case wire.HRequire, wire.HProxyRequire, wire.HUnsupported:
		w.list(i, func(e wire.Elem) string { return w.option(e, true) })
	case wire.HSupported:
		w.list(i, func(e wire.Elem) string { return w.option(e, false) })
	case wire.HAllow:
		w.list(i, func(e wire.Elem) string { return methods.word(e.Whole.Of(w.m.Raw)) })
	case wire.HAllowEvents:
		w.list(i, func(e wire.Elem) string { return eventPackages.word(e.Whole.Of(w.m.Raw)) })
	case wire.HPrivacy:
		w.joined(id, privacyOf(value), ";")
	case wire.HReason:
		w.list(i, func(e wire.Elem) string { return reason(e.Whole.Of(w.m.Raw)) })
	case wire.HWarning:
		w.list(i, func(e wire.Elem) string { return warning(e.Whole.Of(w.m.Raw)) })
	case wire.HAlertInfo, wire.HCallInfo:
		w.list(i, func(e wire.Elem) string { return w.r.alert(e.Whole.Of(w.m.Raw)) })
	case wire.HReplaces, wire.HJoin, wire.HTargetDialog:
		w.line(id.String(), w.r.dialog(value))
	case wire.HWWWAuthenticate, wire.HProxyAuthenticate:
		w.challenges(id)
	case wire.HExpires, wire.HMinExpires, wire.HMinSE, wire.HRetryAfter, wire.HSessionExpires:
		if n, ok := seconds(value); ok {
			s := strconv.Itoa(n)
			if v, has := wire.Param(value, "refresher"); has && id == wire.HSessionExpires && refreshers.word(v) != "" {
				s += ";refresher=" + refreshers.word(v)
			}
			w.line(id.String(), s)
		}
	case wire.HRSeq, wire.HRAck:
		w.sequence(id, value)
	case wire.HEvent:
		name, _, _ := bytes.Cut(value, []byte(";"))
		w.line("Event", orOther(eventPackages.word(trim(name))))
	case wire.HSubscriptionState:
		w.line(id.String(), subscriptionState(value))
	case wire.HOther:
		w.unnamed(i, value)
	}
}

// unnamed writes the few fields that wire has no name for.
func (w *writer) unnamed(i int, value []byte) {
	name := w.m.Headers[i].Name.Of(w.m.Raw)
	value, _, _ = bytes.Cut(value, []byte(";"))
	switch {
	case wire.EqualFold(name, "Answer-Mode"):
		w.line("Answer-Mode", orOther(answerModes.word(trim(value))))
	case wire.EqualFold(name, "Priv-Answer-Mode"):
		w.line("Priv-Answer-Mode", orOther(answerModes.word(trim(value))))
	case wire.EqualFold(name, "P-Early-Media"):
		w.line("P-Early-Media", orOther(earlyMedia.word(trim(value))))
	case wire.EqualFold(name, "Info-Package"):
		w.line("Info-Package", orOther(infoPackages.word(trim(value))))
	}
}

// list writes one line with what f makes of each element of a field; "" leaves it out.
func (w *writer) list(i int, f func(wire.Elem) string) {
	var all []string
	id := w.m.Headers[i].ID
	for e := range w.m.Elems(id) {
		if len(all) == maxElems {
			break
		}
		if s := f(e); s != "" {
			all = append(all, s)
		}
	}
	w.joined(id, all, ", ")
}

func (w *writer) joined(id wire.HeaderID, all []string, by string) {
	if len(all) == 0 {
		return
	}
	w.out = append(w.out, id.String()...)
	w.out = append(w.out, ": "...)
	for i, s := range all {
		if i > 0 {
			w.out = append(w.out, by...)
		}
		w.out = append(w.out, s...)
	}
	w.out = append(w.out, "\r\n"...)
}

func orOther(s string) string {
	if s == "" {
		return "other"
	}
	return s
}

func trim(b []byte) []byte { return bytes.Trim(b, " \t") }
