package policy

import (
	"fmt"
	"strconv"
	"strings"
)

// dialPlan is what normalisation knows of a tenant or carrier.
type dialPlan struct {
	country string // "" knows only numbers with +
	area    string
	outside string
}

// Normalise appends what a user dialled, or a tel number, to dst[:0] as "+E164", by the tenant's country, area and
// outside prefix. It appends nothing for what is no number: a name, a feature code, a short extension.
// The result is for look-up only; what is forwarded does not change.
func (r *Record) Normalise(dst []byte, user string) []byte { return r.plan.append(dst[:0], user) }

// Normalise turns a number as a carrier writes it into "+E164". Formats: "e164" (with or without +), "national:CC"
// (the national form of country CC), "strip:N" (drop the first N characters, then e164; N up to 15).
// A number that does not fit is an error.
func Normalise(format, number string) (string, error) {
	if err := CheckNumberFormat(format); err != nil {
		return "", err
	}
	out := AppendNormalised(nil, format, number)
	if len(out) == 0 {
		return "", fmt.Errorf("%q is no number in format %s", clip(number, 64), format)
	}
	return string(out), nil
}

// CheckNumberFormat says what is wrong with a carrier's number format. The empty format is e164.
func CheckNumberFormat(format string) error {
	name, arg, _ := strings.Cut(format, ":")
	switch {
	case format == "" || format == "e164":
		return nil
	case name == "national" && digits(arg) && len(arg) <= 3 && arg[0] != '0':
		return nil
	case name == "strip" && stripped(arg) > 0:
		return nil
	}
	return fmt.Errorf("number format %q is unknown: write e164, national:CC (such as national:44) or strip:N (such as strip:2)", clip(format, 64))
}

func stripped(arg string) int {
	n, err := strconv.Atoi(arg)
	if err != nil || n < 1 || n > maxDigits {
		return 0
	}
	return n
}

// AppendNormalised is Normalise without an allocation: it appends to dst[:0], and nothing for what is no number.
func AppendNormalised(dst []byte, format, number string) []byte {
	dst = dst[:0]
	name, arg, _ := strings.Cut(format, ":")
	switch name {
	case "national":
		p := dialPlan{country: arg}
		return p.append(dst, number)
	case "strip":
		n := stripped(arg)
		if n == 0 || len(number) <= n {
			return dst
		}
		number = number[n:]
	}
	var buf [24]byte
	d := appendDialled(buf[:0], number)
	if len(d) > 0 && d[0] == '+' {
		return appendE164(dst, "", d[1:])
	}
	return appendE164(dst, "", d)
}

// appendDialled appends the digits of a dialled string without visual separators (RFC 3966 section 3: - . ( ) and,
// as people write them, spaces) and with percent-escapes undone. A leading + stays. Parameters after ; are left out.
// What holds anything else, or more than fits in 24 bytes, gives nothing.
func appendDialled(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' && i+2 < len(s) {
			h, ok1 := unhex(s[i+1])
			l, ok2 := unhex(s[i+2])
			if !ok1 || !ok2 {
				return dst[:0]
			}
			c = h<<4 | l
			i += 2
		}
		switch {
		case c >= '0' && c <= '9', c == '+' && len(dst) == 0, c == '*' || c == '#':
			if len(dst) == 24 {
				return dst[:0]
			}
			dst = append(dst, c)
		case c == '-' || c == '.' || c == '(' || c == ')' || c == ' ':
		case c == ';':
			return dst
		default:
			return dst[:0]
		}
	}
	return dst
}

func unhex(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// appendE164 appends + and the digits if together they are a possible E.164 number: 7 to 15 digits, not beginning with 0.
func appendE164(dst []byte, country string, national []byte) []byte {
	n := len(country) + len(national)
	if n < 7 || n > maxDigits {
		return dst
	}
	for _, c := range national {
		if c < '0' || c > '9' {
			return dst
		}
	}
	if country == "" && national[0] == '0' {
		return dst
	}
	dst = append(dst, '+')
	dst = append(dst, country...)
	return append(dst, national...)
}

// append is the one place that knows dialling habits.
func (p *dialPlan) append(dst []byte, user string) []byte {
	var buf [24]byte
	d := appendDialled(buf[:0], user)
	if len(d) == 0 {
		return dst
	}
	if d[0] == '+' {
		return appendE164(dst, "", d[1:])
	}
	if ctx := phoneContext(user); ctx != "" { // RFC 3966 section 5.1.5: a local number with a global context
		return appendE164(dst, ctx, d)
	}
	if p.country == "" {
		return dst
	}
	if n := len(p.outside); n > 0 && len(d) > n && string(d[:n]) == p.outside {
		if out := p.national(dst, d[n:], true); len(out) > len(dst) {
			return out
		}
	}
	return p.national(dst, d, false)
}

// phoneContext returns the digits of a global phone-context parameter.
func phoneContext(user string) string {
	_, params, ok := strings.Cut(user, ";")
	if !ok {
		return ""
	}
	for part := range strings.SplitSeq(params, ";") {
		if k, v, _ := strings.Cut(part, "="); strings.EqualFold(k, "phone-context") {
			if d, plus := strings.CutPrefix(v, "+"); plus && digits(d) && d[0] != '0' && len(d) <= maxDigits {
				return d
			}
		}
	}
	return ""
}

// national reads digits as people of the country dial them. outside says that the prefix for an outside line was
// dialled, so that a local number needs no minimum length to be told from an extension.
func (p *dialPlan) national(dst, d []byte, outside bool) []byte {
	if p.country == "1" {
		return p.nanp(dst, d)
	}
	if len(d) > 2 && d[0] == '0' && d[1] == '0' {
		return appendE164(dst, "", d[2:])
	}
	if d[0] == '0' {
		if !keepsZero(p.country) {
			d = d[1:]
		}
		if len(d) < 5 {
			return dst
		}
		return appendE164(dst, p.country, d)
	}
	// The country code without +, as some trunks send it. Shorter digits are a local number that begins alike.
	if c := len(p.country); len(d) >= c+9 && string(d[:c]) == p.country {
		return appendE164(dst, "", d)
	}
	if len(d) < 6 && !outside { // five digits and fewer are extensions
		return dst
	}
	if p.area != "" {
		if len(d) > 8 { // too long to be local: national without its 0
			return appendE164(dst, p.country, d)
		}
		var full [24]byte
		return appendE164(dst, p.country, append(append(full[:0], p.area...), d...))
	}
	return appendE164(dst, p.country, d)
}

// nanp reads digits in the North American plan: 011 and an international number, 1 and ten digits, ten digits, or,
// where the area is known, seven.
func (p *dialPlan) nanp(dst, d []byte) []byte {
	switch {
	case len(d) > 3 && string(d[:3]) == "011":
		return appendE164(dst, "", d[3:])
	case len(d) == 11 && d[0] == '1' && d[1] >= '2':
		return appendE164(dst, "", d)
	case len(d) == 10 && d[0] >= '2':
		return appendE164(dst, "1", d)
	case len(d) == 7 && d[0] >= '2' && len(p.area) == 3:
		var full [24]byte
		return appendE164(dst, "1", append(append(full[:0], p.area...), d...))
	}
	return dst
}

// keepsZero: in these countries the leading 0 of a fixed line is part of the number (Italy, San Marino, Vatican,
// Ivory Coast, Gabon, Congo).
func keepsZero(country string) bool {
	switch country {
	case "39", "378", "379", "225", "241", "242":
		return true
	}
	return false
}
