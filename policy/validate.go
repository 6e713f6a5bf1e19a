package policy

import (
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds of the parts of a record.
const (
	maxName  = 200 // bytes of names, comments and reasons
	maxRules = 512
)

// check lists everything that is wrong with the record by itself. Claims against other tenants are the snapshot's.
func (t *Tenant) check() []Fault {
	f := &faults{tenant: clip(t.ID, 63)}
	if !validID(t.ID) {
		f.add("id", t.ID, "is no tenant id", "write 1 to 63 of a-z, 0-9 and -")
	}
	checkText(f, "name", t.Name)
	t.checkDomains(f)
	t.checkNumbers(f)
	t.checkUsers(f)
	t.checkTrunks(f)
	t.checkStage(f)
	t.checkAssigned(f)
	t.checkRules(f)
	checkPool(f, "pool.legacy", t.Pool.Legacy)
	checkPool(f, "pool.core", t.Pool.Core)
	if t.Hold != nil {
		if t.Hold.By == "" {
			f.add("hold.by", "", "is empty", "say who holds the tenant")
		}
		checkText(f, "hold.by", t.Hold.By)
		checkText(f, "hold.reason", t.Hold.Reason)
	}
	t.checkPhase(f)
	t.checkEmergency(f)
	for _, l := range []struct {
		field string
		n     int
	}{
		{"limits.callsPerSecond", t.Limits.CallsPerSecond}, {"limits.calls", t.Limits.Calls},
		{"limits.registrations", t.Limits.Registrations},
	} {
		if l.n < 0 {
			f.add(l.field, strconv.Itoa(l.n), "is negative", "write 0 for no limit")
		}
	}
	t.Media.check(f)
	return f.list
}

func validID(id string) bool {
	if id == "" || len(id) > 63 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-') {
			return false
		}
	}
	return true
}

// checkText: text for people, which must survive a terminal and a log.
func checkText(f *faults, field, s string) {
	switch {
	case len(s) > maxName:
		f.add(field, s, fmt.Sprintf("is %d bytes long", len(s)), fmt.Sprintf("write at most %d", maxName))
	case !utf8.ValidString(s):
		f.add(field, strings.ToValidUTF8(s, "?"), "is not UTF-8", "write it again in UTF-8")
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }):
		f.add(field, s, "holds control characters", "leave them out")
	}
}

func (t *Tenant) checkDomains(f *faults) {
	for i, d := range t.Domains {
		if low := strings.ToLower(d); low != d {
			f.add(index("domains", i), d, "is not lower case", "write "+low)
		} else if fix := checkHost(d); fix != "" {
			f.add(index("domains", i), d, "is no SIP domain", fix)
		}
	}
	checkTwice(f, "domains", t.Domains)
}

// index names an element. It is called for faults only: a hundred thousand records pass without one.
func index(field string, i int) string { return fmt.Sprintf("%s[%d]", field, i) }

func checkTwice(f *faults, field string, list []string) {
	if len(list) <= 16 { // most lists: no map needed
		for i, v := range list {
			if slices.Contains(list[:i], v) {
				f.add(index(field, i), v, "stands twice", "keep one of them")
			}
		}
		return
	}
	seen := make(map[string]bool, len(list))
	for i, v := range list {
		if seen[v] {
			f.add(index(field, i), v, "stands twice", "keep one of them")
		}
		seen[v] = true
	}
}

// checkHost returns what to write instead of a host that is neither a DNS name nor a literal address.
func checkHost(d string) string {
	if a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(d, "["), "]")); err == nil {
		if a.Is6() && !strings.HasPrefix(d, "[") {
			return "write [" + d + "]"
		}
		if a.Zone() != "" {
			return "write the address without its zone"
		}
		return ""
	}
	if d == "" || len(d) > 253 {
		return "write a name of 1 to 253 characters"
	}
	if strings.HasSuffix(d, ".") {
		return "write it without the last dot"
	}
	for label := range strings.SplitSeq(d, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return "write labels of 1 to 63 characters that neither begin nor end with -"
		}
		for i := range len(label) {
			c := label[i]
			if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
				return "write letters, digits, - and dots only, without a scheme or port"
			}
		}
	}
	return ""
}

func (t *Tenant) checkNumbers(f *faults) {
	for i, n := range t.Numbers {
		if _, err := parseClaim(n); err != nil { // what it reads has one form
			f.add(index("numbers", i), n, "is no number, prefix or range", err.Error())
		}
	}
	checkTwice(f, "numbers", t.Numbers)
	if t.Country != "" && (!digits(t.Country) || len(t.Country) > 3 || t.Country[0] == '0') {
		f.add("country", t.Country, "is no E.164 country code", "write 1 to 3 digits without +, such as 1 or 44")
	}
	if t.Area != "" {
		if !digits(t.Area) || len(t.Area) > 6 || t.Area[0] == '0' {
			f.add("area", t.Area, "is no area code", "write up to 6 digits without the leading 0")
		}
		if t.Country == "" {
			f.add("area", t.Area, "stands without a country", "set country")
		}
	}
	if o := t.Outside; o != "" && (len(o) > 4 || strings.Trim(o, "0123456789*#") != "") {
		f.add("outsidePrefix", o, "can not be dialled", "write up to 4 of 0-9, * and #")
	}
}

// checkUser: a user part or alias. What an AoR can not hold as it is compared (percent-decoded) is refused. The field
// is field[key].
func checkUser(f *faults, field, key, u string) {
	switch {
	case u == "":
		f.add(entry(field, key), "", "is empty", "write a user part")
	case len(u) > maxUnit:
		f.add(entry(field, key), u, fmt.Sprintf("is longer than %d bytes", maxUnit), "shorten it")
	case !utf8.ValidString(u):
		f.add(entry(field, key), strings.ToValidUTF8(u, "?"), "is not UTF-8", "write it again in UTF-8")
	case strings.ContainsFunc(u, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '@' || r == '%' || r == ';' }):
		f.add(entry(field, key), u, "is no user part", "write it without domain, parameters, spaces and percent-escapes")
	case u[0] == '+':
		if _, _, err := parseE164(u); err != nil {
			f.add(entry(field, key), u, "is no number", err.Error())
		}
	}
}

func entry(field, key string) string {
	return field + "[" + strings.ToValidUTF8(clip(key, 64), "?") + "]"
}

func (t *Tenant) checkUsers(f *faults) {
	for _, k := range slices.Sorted(maps.Keys(t.Users)) {
		u := t.Users[k]
		checkUser(f, "users", k, k)
		checkUser(f, "users", k, u)
		if next, ok := t.Users[u]; ok && next != u {
			f.add(entry("users", k), u, "is itself an alias, of "+next, "write "+next)
		}
	}
	for _, u := range slices.Sorted(maps.Keys(t.Groups)) {
		checkUser(f, "groups", u, u)
		t.checkNotAlias(f, entry("groups", u), u)
		if t.Groups[u] == "" {
			f.add(entry("groups", u), "", "names no group", "write a group or remove the user")
		} else {
			checkUser(f, "groups", u, t.Groups[u])
		}
	}
}

// checkNotAlias: units are users; an order that names an alias would never match.
func (t *Tenant) checkNotAlias(f *faults, field, u string) {
	if user, ok := t.Users[u]; ok && user != u {
		f.add(field, u, "is an alias, not a user", "write "+user)
	}
}

func (t *Tenant) checkTrunks(f *faults) {
	names := make(map[string]bool, len(t.Trunks))
	nets := make(map[netip.Prefix][]trunkEntry)
	for i, k := range t.Trunks {
		field := fmt.Sprintf("trunks[%d].", i)
		if k.Name == "" {
			f.add(field+"name", "", "is empty", "name the trunk: rules and records speak of it")
		}
		checkText(f, field+"name", k.Name)
		if names[k.Name] && k.Name != "" {
			f.add(field+"name", k.Name, "stands twice", "give every trunk a name of its own")
		}
		names[k.Name] = true
		switch k.Transport {
		case "", "udp", "tcp", "tls":
		default:
			f.add(field+"transport", k.Transport, "is no transport of trunks", "write udp, tcp or tls, or leave it out for any")
		}
		p, fix := parseNet(k.Source)
		if fix != "" {
			f.add(field+"source", k.Source, "is no network", fix)
		} else {
			e := trunkEntry{index: i, port: k.Port, transport: k.Transport}
			for _, o := range nets[p] {
				if how := e.clash(o); how != "" {
					f.add(field+"source", k.Source, how+" that of trunk "+t.Trunks[o.index].Name, "tell them apart by port or transport")
				}
			}
			nets[p] = append(nets[p], e)
		}
		if k.URI != "" {
			if fix := checkTrunkURI(k.URI); fix != "" {
				f.add(field+"uri", k.URI, "is no numeric SIP URI", fix)
			}
		}
		checkPool(f, field+"egress", k.Egress)
		if k.Media != "" && k.Media != mediaOff {
			f.add(field+"media", k.Media, "is no choice", "write off to let SDP pass untouched, or leave it out")
		}
	}
}

// parseNet reads a CIDR in its one form, or says what to write instead.
func parseNet(s string) (netip.Prefix, string) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		if a, err := netip.ParseAddr(s); err == nil {
			return p, fmt.Sprintf("write %s/%d", a, a.BitLen())
		}
		return p, "write a CIDR such as 192.0.2.0/28"
	}
	if a := p.Addr(); a.Is4In6() {
		return p, "write the IPv4 address itself, such as 192.0.2.0/28"
	}
	if p != p.Masked() {
		return p, "write " + p.Masked().String()
	}
	if s != p.String() {
		return p, "write " + p.String()
	}
	if p.Bits() == 0 {
		return p, "the whole Internet is nobody's PBX: write its own networks"
	}
	return p, ""
}

// checkTrunkURI: we never resolve a name to reach a PBX, so the host is an address.
func checkTrunkURI(s string) string {
	const fix = "write sip: and an address, such as sip:192.0.2.10:5060;transport=udp"
	rest, ok := strings.CutPrefix(s, "sip:")
	if !ok {
		if rest, ok = strings.CutPrefix(s, "sips:"); !ok {
			return fix
		}
	}
	host, params, _ := strings.Cut(rest, ";")
	if _, err := netip.ParseAddrPort(host); err != nil {
		if _, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")); err != nil {
			return fix
		}
	}
	if strings.ContainsAny(params, "<>\"@ \t\r\n?") || len(s) > maxName {
		return fix
	}
	return ""
}

// checkPool: names of pools and listeners, as the edge's configuration has them; "" is allowed.
func checkPool(f *faults, field, s string) {
	if len(s) > 64 || strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.')
	}) {
		f.add(field, s, "is no name of the configuration", "write up to 64 letters, digits, -, _ and dots")
	}
}

func (t *Tenant) checkStage(f *faults) {
	if t.Stage > StageDone {
		f.add("stage", t.Stage.String(), "is unknown", "write "+strings.Join(stageWords, ", "))
	}
	if t.Share < 0 || t.Share > FullShare {
		f.add("share", strconv.Itoa(t.Share), "is outside 0 to 10000 basis points", "write 1000 for 10 %")
	}
	if t.Mirror < 0 || t.Mirror > FullShare {
		f.add("mirror", strconv.Itoa(t.Mirror), "is outside 0 to 10000 basis points", "write 1000 for 10 %")
	}
	if b, err := hex.DecodeString(t.Salt); err != nil || len(b) != 16 || strings.ToLower(t.Salt) != t.Salt {
		f.add("salt", t.Salt, "is not 16 bytes in lower-case hex", "`hotcut tenant add` mints one; never write it by hand")
	}
	if t.HashVer != hashVersion {
		f.add("hashVersion", strconv.Itoa(t.HashVer), "is not known to this build", "write 1, or upgrade this node first")
	}
}

func (t *Tenant) checkEmergency(f *faults) {
	e := t.Emergency
	if e == nil {
		e = new(Emergency)
	}
	for i, u := range e.Users {
		field := fmt.Sprintf("emergency.users[%d]", i)
		if isURN(u) {
			if len(u) > 128 || strings.Contains(strings.TrimSuffix(u, "*"), "*") {
				f.add(field, u, "is no URN pattern", "write a URN with at most one * at its end, such as urn:service:sos*")
			}
		} else if !digits(strings.TrimPrefix(u, "+")) || len(u) > maxDigits+1 {
			f.add(field, u, "is no emergency number", "write digits such as 112, or a URN such as urn:service:sos*")
		}
	}
	if c := e.Certified; c != nil {
		if c.By == "" || c.At <= 0 || c.Evidence == "" {
			f.add("emergency.certified", c.By, "is incomplete", "say by whom, at what time, and on what evidence (the test call)")
		}
		checkText(f, "emergency.certified.by", c.By)
		checkText(f, "emergency.certified.evidence", c.Evidence)
	}
	if e.Platform > Core {
		f.add("emergency.platform", e.Platform.String(), "is unknown", "write legacy or core")
	}
	if e.Platform == Core && e.Certified == nil {
		f.add("emergency.platform", "core", "takes emergency calls without a certification", "place the test call and set emergency.certified {by, at, evidence}")
	}
	if t.Stage == StageDone && e.Platform != Core {
		f.add("stage", "done", "would end the way back while emergency calls are on legacy", "certify core first: set emergency.platform to core with emergency.certified {by, at, evidence}")
	}
}
