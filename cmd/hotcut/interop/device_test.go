//go:build interop

package interop

import (
	"cmp"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// device is a phone made by hand that registers as phones do: one Call-ID for life, credentials kept from one REGISTER
// to the next, and a challenge after credentials answered silently only if it says stale=true.
type device struct {
	*ua
	edge           string // where it sends
	user, password string
	transport      string // "tcp", or "" for UDP
	callID         string
	cseq           int
	challenge      map[string]string // the last one
	nc             int
	prompts        int // how often it would have asked its user for a password
	challenged     int
}

func newDevice(t *testing.T, edge, user string) *device {
	t.Helper()
	u := newUA(t, user)
	return &device{ua: u, edge: edge, user: user, password: "pw-" + user, callID: "reg-" + u.addr}
}

// here is the device's Contact.
func (d *device) here() string {
	if d.transport != "" {
		return "<sip:" + d.user + "@" + d.addr + ";transport=" + d.transport + ">"
	}
	return "<sip:" + d.user + "@" + d.addr + ">"
}

// aor is the device's address of record.
func (d *device) aor() string { return "sip:" + d.user + "@" + realm }

// begin writes a REGISTER with what it has by way of credentials, and does not wait. An empty contact asks for what is
// bound; expires under 0 says nothing about it.
func (d *device) begin(contact string, expires int) (cseq int) {
	d.t.Helper()
	d.cseq++
	var b strings.Builder
	fmt.Fprintf(&b, "REGISTER sip:%s SIP/2.0\r\nVia: SIP/2.0/%s %s;branch=z9hG4bKr%d-%s;rport\r\nMax-Forwards: 70\r\nFrom: <%s>;tag=r%s\r\nTo: <%s>\r\nCall-ID: %s\r\nCSeq: %d REGISTER\r\n",
		realm, strings.ToUpper(cmp.Or(d.transport, "udp")), d.addr, d.cseq, strings.ReplaceAll(d.addr, ":", "-"), d.aor(), d.user, d.aor(), d.callID, d.cseq)
	if contact != "" {
		fmt.Fprintf(&b, "Contact: %s\r\n", contact)
	}
	if expires >= 0 {
		fmt.Fprintf(&b, "Expires: %d\r\n", expires)
	}
	if d.challenge != nil {
		b.WriteString(d.credentials("REGISTER", "sip:"+realm))
	}
	b.WriteString("Content-Length: 0\r\n\r\n")
	d.send(d.edge, b.String())
	return d.cseq
}

// register goes through with it and returns the final response.
func (d *device) register(contact string, expires int) *message {
	d.t.Helper()
	for range 5 {
		with := d.challenge != nil
		cseq := d.begin(contact, expires)
		m := d.final(cseq)
		if m.status() != 401 {
			return m
		}
		d.challenged++
		d.challenge, d.nc = challengeOf(m), 0
		if with && !strings.EqualFold(d.challenge["stale"], "true") {
			d.prompts++
			return m
		}
	}
	d.t.Fatalf("%s is challenged for ever", d.user)
	return nil
}

// final waits for the final response to a REGISTER.
func (d *device) final(cseq int) *message {
	d.t.Helper()
	return d.expect(fmt.Sprintf("a final response to REGISTER %d", cseq), func(m *message) bool {
		return m.get("CSeq") == strconv.Itoa(cseq)+" REGISTER" && m.get("Call-ID") == d.callID && m.status() >= 200
	})
}

// bound registers and fails the test if that is not answered with 200, or costs a password prompt.
func (d *device) bound(contact string, expires int) *message {
	d.t.Helper()
	m := d.register(contact, expires)
	if m.status() != 200 || d.prompts > 0 {
		d.t.Fatalf("REGISTER of %s (Contact %s, Expires %d) was answered with %q, %d password prompts", d.user, contact, expires, m.start, d.prompts)
	}
	return m
}

var digestParam = regexp.MustCompile(`([a-z]+) *= *("[^"]*"|[^,\s]+)`)

// challengeOf reads the parameters of the challenge in a 401.
func challengeOf(m *message) map[string]string {
	c := map[string]string{}
	for _, p := range digestParam.FindAllStringSubmatch(m.get("WWW-Authenticate"), -1) {
		c[p[1]] = strings.Trim(p[2], `"`)
	}
	return c
}

// credentials is the Authorization line for the challenge that it has (RFC 2617 section 3.2.2, with and without qop).
func (d *device) credentials(method, uri string) string {
	c := d.challenge
	d.nc++
	ha1 := md5hex(d.user + ":" + c["realm"] + ":" + d.password)
	ha2 := md5hex(method + ":" + uri)
	line := fmt.Sprintf(`Authorization: Digest username="%s", realm="%s", nonce="%s", uri="%s"`, d.user, c["realm"], c["nonce"], uri)
	if c["qop"] == "" {
		line += fmt.Sprintf(`, response="%s"`, md5hex(ha1+":"+c["nonce"]+":"+ha2))
	} else {
		line += fmt.Sprintf(`, qop=auth, nc=%08x, cnonce="0a4f113b", response="%s"`, d.nc, md5hex(fmt.Sprintf("%s:%s:%08x:0a4f113b:auth:%s", ha1, c["nonce"], d.nc, ha2)))
	}
	if c["opaque"] != "" {
		line += fmt.Sprintf(`, opaque="%s"`, c["opaque"])
	}
	return line + "\r\n"
}

func md5hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}
