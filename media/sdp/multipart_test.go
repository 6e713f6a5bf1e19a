package sdp

import (
	"strings"
	"testing"
)

const sdpBody = "v=0\ns=-\n"

func TestFind(t *testing.T) {
	two := "--b\nContent-Type: application/sdp\n\n" + sdpBody + "\n--b\nContent-Type: application/isup\nContent-Disposition: signal\n\n\x01\x00\x49\n--b--\n"
	for _, c := range []struct {
		name, contentType, body, want string // want "": not found
		fault                         Fault
	}{
		{"plain", "application/sdp", sdpBody, sdpBody, FaultNone},
		{"in another case, with a parameter", " Application/SDP ; charset=utf-8", sdpBody, sdpBody, FaultNone},
		{"not SDP", "application/dtmf-relay", "Signal=1\n", "", FaultNone},
		{"no type", "", sdpBody, "", FaultNone},
		{"SDP and ISUP", "multipart/mixed;boundary=b", two, sdpBody, FaultNone},
		{"quoted boundary after others", `multipart/mixed; x; type="a;b" ; Boundary="b"`, two, sdpBody, FaultNone},
		{"preamble, epilogue", "multipart/mixed;boundary=b", "hello\n--bb\n" + two + "bye\n--b\n", sdpBody, FaultNone},
		{"part without end of line", "multipart/mixed;boundary=b", "--b\nContent-Type: application/sdp\n\nv=0\n--b--", "v=0", FaultNone},
		{"empty headers", "multipart/mixed;boundary=b", "--b\n\ntext\n--b--", "", FaultNone},
		{"folded disposition", "multipart/mixed;boundary=b", "--b\nContent-Disposition: session;\n handling=required\nContent-Type: application/sdp\n\n" + sdpBody + "\n--b--\n", sdpBody, FaultNone},
		{"early-session is another's", "multipart/mixed;boundary=b", "--b\nContent-Disposition: early-session\nContent-Type: application/sdp\n\n" + sdpBody + "\n--b--\n", "", FaultNone},
		{"session beside early-session", "multipart/mixed;boundary=b", "--b\nContent-Disposition: early-session\nContent-Type: application/sdp\n\nv=0\n--b\nContent-Type: application/sdp\n\n" + sdpBody + "\n--b--\n", sdpBody, FaultNone},
		{"nested", "multipart/mixed;boundary=b", "--b\nContent-Type: multipart/related;boundary=c\n\n--c\nContent-Type: application/sdp\n\n" + sdpBody + "\n--c--\n\n--b--\n", sdpBody, FaultNone},
		{"identity encodings", "multipart/mixed;boundary=b", "--b\nContent-Type: application/sdp\nContent-Transfer-Encoding: 8bit\nContent-Encoding: identity\n\n" + sdpBody + "\n--b--\n", sdpBody, FaultNone},

		{"no boundary", "multipart/mixed", two, "", FaultMultipart},
		{"two boundaries", "multipart/mixed;boundary=b;boundary=b", two, "", FaultMultipart},
		{"empty boundary", `multipart/mixed;boundary=""`, two, "", FaultMultipart},
		{"open quote", `multipart/mixed;boundary="b`, two, "", FaultMultipart},
		{"boundary too long", "multipart/mixed;boundary=" + strings.Repeat("b", 71), two, "", FaultMultipart},
		{"no delimiter", "multipart/mixed;boundary=b", "hello\n", "", FaultMultipart},
		{"no end", "multipart/mixed;boundary=b", "--b\nContent-Type: application/sdp\n\n" + sdpBody, "", FaultMultipart},
		{"headers without end", "multipart/mixed;boundary=b", "--b\nContent-Type: application/sdp\n--b--\n", "", FaultMultipart},
		{"header without colon", "multipart/mixed;boundary=b", "--b\nhello\n\nx\n--b--\n", "", FaultMultipart},
		{"fold of nothing", "multipart/mixed;boundary=b", "--b\n x\n\nx\n--b--\n", "", FaultMultipart},
		{"two types", "multipart/mixed;boundary=b", "--b\nContent-Type: text/plain\nContent-Type: application/sdp\n\nx\n--b--\n", "", FaultMultipart},
		{"base64", "multipart/mixed;boundary=b", "--b\nContent-Type: application/sdp\nContent-Transfer-Encoding: base64\n\ndj0w\n--b--\n", "", FaultPartEncoding},
		{"gzip", "multipart/mixed;boundary=b", "--b\nContent-Type: application/sdp\nContent-Encoding: gzip\n\nx\n--b--\n", "", FaultPartEncoding},
		{"base64 of what is not ours", "multipart/mixed;boundary=b", "--b\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\ndj0w\n--b--\n", "", FaultNone},
		{"two descriptions", "multipart/mixed;boundary=b", "--b\nContent-Type: application/sdp\n\nv=0\n--b\nContent-Type: application/sdp\n\nv=0\n--b--\n", "", FaultTwoDescriptions},
		{"too many parts", "multipart/mixed;boundary=b", strings.Repeat("--b\n\nx\n", MaxParts+1) + "--b--\n", "", FaultPartCount},
		{"too deep", "multipart/a;boundary=b", "--b\nContent-Type: multipart/b;boundary=c\n\n--c\nContent-Type: multipart/c;boundary=d\n\n--d\nContent-Type: multipart/d;boundary=e\n\n--e--\n--d--\n--c--\n--b--\n", "", FaultPartCount},
	} {
		for _, eol := range []string{"\r\n", "\n"} {
			body := strings.ReplaceAll(c.body, "\n", eol)
			part, found, fault := Find([]byte(c.contentType), []byte(body))
			if fault != c.fault || found != (c.want != "") {
				t.Errorf("%s: found %v, %v", c.name, found, fault)
				continue
			}
			if !found {
				continue
			}
			if got := string(part.Of([]byte(body))); got != strings.ReplaceAll(c.want, "\n", eol) {
				t.Errorf("%s: %q", c.name, got)
			}
			replaced := string(Replace(nil, []byte(body), part, []byte("v=0\r\nnew")))
			if want := body[:part.Start] + "v=0\r\nnew" + body[part.End:]; replaced != want {
				t.Errorf("%s: replaced %q", c.name, replaced)
			}
		}
	}
}
