package record

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/hotcut/hotcut/proxy/wire"
)

// via keeps transport, network and the equality of branches.
func (w *writer) via(e wire.Elem) string {
	raw := w.m.Raw
	v, ok := w.m.Via(e)
	if !ok {
		return ""
	}
	s := "SIP/2.0/" + orOther(transports.word(v.Transport.Of(raw))) + " " + w.r.hostPort(v.Host.Of(raw), v.Port)
	if branch := string(v.Branch.Of(raw)); branch != "" {
		const cookie = "z9hG4bK" // RFC 3261 section 8.1.1.7
		rest, has := strings.CutPrefix(branch, cookie)
		if s += ";branch="; has {
			s += cookie
		}
		s += w.r.tagged("b~", rest)
	}
	if v.RPort {
		s += ";rport"
	}
	return s
}

// hostPort is a redacted host with its port, for a Via or a URI.
func (r *Redactor) hostPort(host []byte, port uint16) string {
	h := r.host(host)
	if strings.Contains(h, ":") {
		h = "[" + h + "]"
	}
	if port > 0 && port <= maxPort {
		h += ":" + strconv.Itoa(int(port))
	}
	return h
}

// elem writes an element of a field of addresses. One of bad syntax is left out.
func (w *writer) elem(e wire.Elem, id wire.HeaderID) string {
	switch {
	case !e.URI.Empty():
		return w.address(e.NameAddr, id)
	case id == wire.HContact && string(e.Whole.Of(w.m.Raw)) == "*":
		return "*"
	}
	return ""
}

// address writes a name-addr with the parameters that mean something in its field.
func (w *writer) address(a wire.NameAddr, id wire.HeaderID) string {
	raw := w.m.Raw
	s := "<" + w.r.redactURI(a.URI.Of(raw)) + ">"
	if !a.Name.Empty() && string(a.Name.Of(raw)) != `""` {
		s = `"name" ` + s
	}
	if !a.Tag.Empty() && (id == wire.HFrom || id == wire.HTo) {
		return s + ";tag=" + w.r.tagged("t~", string(a.Tag.Of(raw)))
	}
	for name, value := range wire.Params(a.Params.Of(raw)) {
		if len(s) > 512 {
			break
		}
		value = bytes.ToLower(bytes.Trim(value, `"`))
		switch {
		case id == wire.HContact && wire.EqualFold(name, "expires"):
			if n, ok := seconds(value); ok {
				s += ";expires=" + strconv.Itoa(n)
			}
		case id == wire.HDiversion && wire.EqualFold(name, "reason"):
			s += ";reason=" + diversionReason(value)
		case (id == wire.HDiversion || id == wire.HRPID) && wire.EqualFold(name, "privacy"):
			s += ";privacy=" + orOther(yesNo.word(value))
		case (id == wire.HDiversion || id == wire.HRPID) && wire.EqualFold(name, "screen"):
			s += ";screen=" + orOther(yesNo.word(value))
		case id == wire.HRPID && wire.EqualFold(name, "party"):
			s += ";party=" + orOther(yesNo.word(value))
		case id == wire.HHistoryInfo && wire.EqualFold(name, "index") && isIndex(value):
			s += ";index=" + string(value)
		}
	}
	return s
}

// diversionReason is a reason of RFC 5806, or a cause in digits.
func diversionReason(b []byte) string {
	if n, ok := small(b); ok {
		return n
	}
	return orOther(diversions.word(b))
}

// isIndex: "1.1.2", of short numbers (RFC 7044 section 5).
func isIndex(b []byte) bool {
	n := 0
	for part := range bytes.SplitSeq(b, []byte(".")) {
		if n++; n > 8 {
			return false
		}
		if _, ok := small(part); !ok {
			return false
		}
	}
	return true
}

// makeURI writes a URI anew, as sip or sips: those that phones and trunks call each other by.
func (r *Redactor) makeURI(b []byte) string {
	u, ok := wire.ParseURI(b)
	scheme := u.Scheme.Of(b)
	switch {
	case ok && wire.EqualFold(scheme, "tel"):
		return "sip:" + inURI(r.user(u.Rest.Of(b))) + "@tel.invalid;user=phone"
	case ok && services.word(b) != "":
		return services.word(b)
	case !ok || !wire.EqualFold(scheme, "sip") && !wire.EqualFold(scheme, "sips"):
		return "sip:" + string(r.name(b)) + "@uri.invalid"
	}
	s := strings.ToLower(string(scheme)) + ":"
	if !u.User.Empty() {
		s += inURI(r.user(u.User.Of(b))) + "@"
	}
	s += r.hostPort(u.Host.Of(b), u.Port)
	for name, value := range wire.Params(u.Params.Of(b)) {
		if len(s) > 256 {
			break
		}
		switch {
		case wire.EqualFold(name, "lr"), wire.EqualFold(name, "ob"):
			s += ";" + strings.ToLower(string(name))
		case wire.EqualFold(name, "transport") && transports.word(value) != "":
			s += ";transport=" + strings.ToLower(transports.word(value))
		case wire.EqualFold(name, "user") && wire.EqualFold(value, "phone"):
			s += ";user=phone"
		case wire.EqualFold(name, "method") && methods.word(value) != "":
			s += ";method=" + methods.word(value)
		case wire.EqualFold(name, "cause"): // of a redirection (RFC 4458)
			if n, ok := small(value); ok {
				s += ";cause=" + n
			}
		}
	}
	return s + r.uriHeaders(u.Headers.Of(b))
}

// uriHeaders keeps what a History-Info or Refer-To says in the headers of its URI: why, whose privacy, which dialog.
func (r *Redactor) uriHeaders(b []byte) string {
	var s string
	for part := range bytes.SplitSeq(b, []byte("&")) {
		name, value, _ := bytes.Cut(part, []byte("="))
		value = wire.AppendUnescaped(nil, value)
		var kept string
		switch {
		case len(s) > 256:
		case wire.EqualFold(name, "Reason"):
			kept = "Reason=" + escape(reason(value))
		case wire.EqualFold(name, "Privacy"):
			kept = "Privacy=" + escape(strings.Join(privacyOf(value), ";"))
		case wire.EqualFold(name, "Replaces"):
			kept = "Replaces=" + escape(r.dialog(value))
		}
		switch {
		case kept == "":
		case s == "":
			s = "?" + kept
		default:
			s += "&" + kept
		}
	}
	return s
}

// inURI escapes what an address may hold and a URI may not.
func inURI(a Address) string { return strings.ReplaceAll(string(a), "#", "%23") }

// escape writes all but letters, digits, "-", "." and "~" as percent-escapes.
func escape(s string) string {
	const hexDigits = "0123456789ABCDEF"
	out := make([]byte, 0, 3*len(s))
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.', c == '~':
			out = append(out, c)
		default:
			out = append(out, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return string(out)
}

// option is an option tag. required: an unknown one changes whether the call works at all, and so becomes a token.
func (w *writer) option(e wire.Elem, required bool) string {
	b := e.Whole.Of(w.m.Raw)
	if s := optionTags.word(b); s != "" || !required {
		return s
	}
	return w.r.tagged("o~", string(b))
}

// privacyOf are the known values of a Privacy (RFC 3323, RFC 7044).
func privacyOf(b []byte) []string {
	var all []string
	for part := range bytes.FieldsFuncSeq(b, func(c rune) bool { return c == ';' || c == ',' || c == ' ' }) {
		if p := privacies.word(part); p != "" && len(all) < maxElems {
			all = append(all, p)
		}
	}
	return all
}

// reason keeps protocol and cause; the text is for people, and of them.
func reason(b []byte) string {
	name, params, _ := bytes.Cut(b, []byte(";"))
	s := orOther(reasonNames.word(trim(name)))
	if v, ok := wire.Param(params, "cause"); ok {
		if n, ok := small(v); ok {
			s += ";cause=" + n
		}
	}
	return s
}

// warning keeps the code; agent and text are written as nobody's.
func warning(b []byte) string {
	if len(b) < 3 {
		return ""
	}
	if n, ok := small(b[:3]); ok && (len(b) == 3 || b[3] == ' ') {
		return n + ` - ""`
	}
	return ""
}

// dialog is the value of Replaces, Join or Target-Dialog: equality stays.
func (r *Redactor) dialog(b []byte) string {
	id, params, _ := bytes.Cut(b, []byte(";"))
	s := r.CallID(string(trim(id)))
	for _, name := range []string{"to-tag", "from-tag", "local-tag", "remote-tag"} {
		if v, ok := wire.Param(params, name); ok {
			s += ";" + name + "=" + r.tagged("t~", string(v))
		}
	}
	if _, ok := wire.Param(params, "early-only"); ok {
		s += ";early-only"
	}
	return s
}

// sequence writes RSeq ("1") and RAck ("1 2 INVITE").
func (w *writer) sequence(id wire.HeaderID, value []byte) {
	var out []string
	for word := range bytes.FieldsSeq(value) {
		n, err := strconv.ParseUint(string(word), 10, 32)
		switch {
		case len(out) == 2:
			out = append(out, method(word))
		case err != nil || len(out) > 2:
			return
		default:
			out = append(out, strconv.Itoa(int(n%10000)))
		}
	}
	if len(out) == 1 && id == wire.HRSeq || len(out) == 3 && id == wire.HRAck {
		w.joined(id, out, " ")
	}
}

func subscriptionState(b []byte) string {
	state, params, _ := bytes.Cut(b, []byte(";"))
	s := orOther(subscription.word(trim(state)))
	if v, ok := wire.Param(params, "expires"); ok {
		if n, ok := seconds(v); ok {
			s += ";expires=" + strconv.Itoa(n)
		}
	}
	if v, ok := wire.Param(params, "reason"); ok && endReasons.word(v) != "" {
		s += ";reason=" + endReasons.word(v)
	}
	return s
}

// seconds reads the digits at the front, and keeps four significant ones: 604800 is a week, 604813 might be anybody.
func seconds(b []byte) (int, bool) {
	b = trim(b)
	n, unit := 0, 1
	for i, c := range b {
		if c < '0' || c > '9' {
			return n / unit * unit, i > 0
		}
		if n = 10*n + int(c-'0'); n > 1<<31 {
			return 2_000_000_000, true // decades: as good as for ever
		}
		if n/unit >= 10_000 {
			unit *= 10
		}
	}
	return n / unit * unit, len(b) > 0
}

// small is a number of one to three digits.
func small(b []byte) (string, bool) {
	if len(b) == 0 || len(b) > 3 {
		return "", false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return "", false
		}
	}
	return string(b), true
}
