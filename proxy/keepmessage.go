package proxy

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/digest"
	"github.com/hotcut/hotcut/proxy/location"
	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

// visit is one REGISTER of ours: of which binding, to which target, with which numbers.
type visit struct {
	x        *keptBinding
	side     int
	platform policy.Platform
	lane     *lane
	b        *location.Binding
	topo     *topology
	target   int
	bit      uint64 // of the target in its pool

	remove  bool
	expires int64 // seconds asked
	sent    int64 // unix seconds
	callID  string
	cseq    uint32

	challenge string // to be answered; "": none was met yet
	proxied   bool
	rounds    int // challenges answered in this visit
	nc        uint32
	brief     bool // a 423 has been obeyed
}

// callID names the registrations that we make of a binding on a platform: the same from every edge, so that any of them
// continues what another began, and of no use to find out anything.
func (k *keeper) callID(id location.ID, p policy.Platform) string {
	mac := hmac.New(sha256.New, k.key[:])
	mac.Write(id[:])
	mac.Write([]byte{byte(p)})
	var sum [sha256.Size]byte
	return hex.EncodeToString(mac.Sum(sum[:0])[:16]) + "@hotcut"
}

// appendRegister appends the REGISTER of a visit: the Contact, and the Path, that the phone's own would show this target.
func (k *keeper) appendRegister(dst, via []byte, v *visit) []byte {
	t, b := &v.topo.targets[v.target], v.b
	l := &v.topo.listeners[t.listener] // that the target reaches the phone by, though our request leaves by another
	dst = append(append(append(dst, "REGISTER "...), registrar(b)...), " SIP/2.0\r\n"...)
	dst = append(append(dst, via...), "Max-Forwards: 70\r\nFrom: <"...)
	to := oneLine(b.To)
	tag := sha256.Sum256([]byte(v.callID))
	dst = append(append(append(dst, to...), ">;tag="...), hex.EncodeToString(tag[:6])...)
	dst = append(append(append(dst, "\r\nTo: <"...), to...), ">\r\nCall-ID: "...)
	dst = append(append(dst, oneLine(v.callID)...), "\r\nCSeq: "...)
	dst = strconv.AppendUint(dst, uint64(v.cseq), 10)
	dst = append(dst, " REGISTER\r\n"...)
	dst = k.appendReach(dst, v.topo, t, l, b)
	dst = strconv.AppendInt(append(dst, "Expires: "...), v.expires, 10)
	dst = append(dst, "\r\n"...)
	if t.keep == keepTrust {
		dst = append(append(append(dst, "P-Asserted-Identity: <"...), to...), ">\r\n"...)
	}
	if line, err := k.authorization(v); err == nil {
		dst = append(dst, line...)
	}
	return append(dst, "Content-Length: 0\r\n\r\n"...)
}

// appendReach appends how the target reaches the phone: our Path, or our Contact where it does none.
func (k *keeper) appendReach(dst []byte, topo *topology, t *target, l *listener, b *location.Binding) []byte {
	contact := oneLine(b.Contact)
	if !t.byContact {
		dst = append(append(append(dst, "Contact: "...), contact...), "\r\n"...)
		e := end{kind: endFlow, proto: transport.UDP, listener: hash16(b.Flow.Listener), conn: b.Flow.Conn, addr: b.Flow.Addr}
		if b.Flow.Proto == "tcp" {
			e.proto = transport.TCP
		}
		k.sealing.Lock()
		defer k.sealing.Unlock()
		return k.seal.appendPath(dst, b.ID, topo.node, &e, b.Tenant, l)
	}
	uri := oneLine(b.URI)
	i := strings.Index(contact, uri)
	if i < 0 || uri == "" {
		i, contact, uri = 0, b.URI, b.URI
	}
	ours := appendReachURI(nil, b.ID, uri, l)
	dst = append(append(dst, "Contact: "...), contact[:i]...)
	if i > 0 && contact[i-1] == '<' {
		dst = append(dst, ours...)
	} else { // without brackets its parameters would be the element's
		dst = append(append(append(dst, '<'), ours...), '>')
	}
	return append(append(dst, contact[i+len(uri):]...), "\r\n"...)
}

// registrar is the Request-URI: the domain of the address-of-record, as the phone writes it.
func registrar(b *location.Binding) string {
	to := []byte(oneLine(b.To))
	u, ok := wire.ParseURI(to)
	if !ok || u.Host.Empty() {
		_, domain, _ := cutAoR(b.AoR)
		return "sip:" + domain
	}
	host := string(u.Host.Of(to))
	if strings.IndexByte(host, ':') >= 0 {
		host = "[" + host + "]"
	}
	if u.Port != 0 {
		host += ":" + strconv.Itoa(int(u.Port))
	}
	return string(u.Scheme.Of(to)) + ":" + host
}

// oneLine takes the line ends out of what a phone may have folded, or another edge may have stored.
func oneLine(s string) string {
	if strings.ContainsAny(s, "\r\n") {
		s = strings.NewReplacer("\r", "", "\n", "").Replace(s)
	}
	return s
}

// authorization is the header line that answers the visit's challenge; "" where none was met.
func (k *keeper) authorization(v *visit) (string, error) {
	t := &v.topo.targets[v.target]
	if v.challenge == "" || t.keep != keepDigest {
		return "", nil
	}
	value := []byte(v.challenge)
	var ch digest.Params
	if !digest.ParseChallenge(&ch, value) {
		return "", digest.ErrAlgorithm
	}
	secret, ok := k.secret(v.b, string(ch.Realm.In(value)))
	if !ok {
		return "", errNoSecret
	}
	var c [8]byte
	rand.Read(c[:])
	line := []byte("Authorization: ")
	if v.proxied {
		line = []byte("Proxy-Authorization: ")
	}
	line, err := digest.AppendAuthorization(line, &ch, value, secret, "REGISTER", registrar(v.b), v.nc, hex.EncodeToString(c[:]))
	if err != nil {
		return "", err
	}
	return string(append(line, "\r\n"...)), nil
}

// secret finds what we know of the user of an address-of-record, by the domain that the phone wrote or the canonical one.
func (k *keeper) secret(b *location.Binding, realm string) (digest.Secret, bool) {
	all := k.secrets.Load()
	to := []byte(b.To)
	if u, ok := wire.ParseURI(to); ok {
		user := string(wire.AppendUnescaped(nil, u.User.Of(to)))
		if s, ok := all.Find(user, string(u.Host.Of(to)), realm); ok {
			return s, true
		}
	}
	user, domain, _ := cutAoR(b.AoR)
	return all.Find(user, domain, realm)
}
