package record

import (
	"bytes"

	"github.com/hotcut/hotcut/media/sdp"
	"github.com/hotcut/hotcut/proxy/wire"
)

// body is the redacted body of a message and its type. Of types that are not read only the name stays, of others nothing.
func (r *Redactor) body(m *wire.Message) (contentType string, body []byte) {
	raw := m.Body.Of(m.Raw)
	i := m.Find(wire.HContentType)
	if i < 0 || len(raw) == 0 && !emptied(m.Value(i)) {
		return "", nil
	}
	if m.Find(wire.HContentEncoding) >= 0 || len(raw) > maxBody {
		return "", nil
	}
	value := m.Value(i)
	if part, found, fault := sdp.Find(value, raw); fault != sdp.FaultNone {
		return "application/sdp", []byte(unreadable + fault.String() + "\r\n")
	} else if found {
		d := readSDP(part.Of(raw))
		body := d.text()
		if len(body) > maxBodyOut {
			d = description{SDP: SDP{Unreadable: tooLarge}}
			body = d.text()
		}
		return "application/sdp", body
	}
	contentType = contentTypes.word(mediaType(value))
	switch contentType {
	case "application/dialog-info+xml":
		d := r.readDialogInfo(raw)
		body = d.text()
	case "application/simple-message-summary":
		s := r.readSummary(raw)
		body = s.text()
	case "message/sipfrag":
		body = sipfrag(raw)
	}
	if len(body) > maxBodyOut {
		body = nil
	}
	return contentType, body
}

// emptied: the types of which a redacted message keeps the name only.
func emptied(value []byte) bool { return contentTypes.word(mediaType(value)) != "" }

func mediaType(value []byte) []byte {
	name, _, _ := bytes.Cut(value, []byte(";"))
	return trim(name)
}

// sipfrag keeps the status line by which a REFER reports (RFC 3515 section 2.4.5).
func sipfrag(b []byte) []byte {
	rest, ok := bytes.CutPrefix(b, []byte("SIP/2.0 "))
	if !ok || len(rest) < 3 {
		return nil
	}
	code, ok := small(rest[:3])
	if !ok {
		return nil
	}
	n := int(code[0]-'0')*100 + int(code[1]-'0')*10 + int(code[2]-'0')
	return []byte("SIP/2.0 " + code + " " + phrases[n] + "\r\n")
}
