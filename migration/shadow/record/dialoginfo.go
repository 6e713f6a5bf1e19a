package record

import (
	"bytes"
	"encoding/xml"
	"io"
	"slices"
	"strings"
)

// dialogInfo is what a lamp shows (RFC 4235): of an entity, how its dialogs stand.
type dialogInfo struct {
	entity  Address
	full    bool
	dialogs []string // sorted: "initiator early"; "unreadable" if it could not be read
}

// notReadable is the state of an entity that sent what could not be read.
const notReadable = "unreadable"

// readDialogInfo reads a bounded document token by token. Prefixes, order, ids, versions and whose call it is go.
func (r *Redactor) readDialogInfo(b []byte) dialogInfo {
	bad := dialogInfo{dialogs: []string{notReadable}}
	var (
		out     dialogInfo
		path    []string
		text    []byte
		current string // direction of the dialog that is open
		states  int
		d       = xml.NewDecoder(bytes.NewReader(b))
	)
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return bad
		}
		switch t := token.(type) {
		case xml.StartElement:
			if len(path) == maxDepth {
				return bad
			}
			path = append(path, t.Name.Local)
			text = text[:0]
			switch strings.Join(path, "/") {
			case "dialog-info":
				out.entity = r.Address(attribute(t, "entity"))
				out.full = attribute(t, "state") == "full"
			case "dialog-info/dialog":
				current = dialogDirections.word([]byte(attribute(t, "direction")))
			}
		case xml.CharData:
			if len(path) > 0 && path[len(path)-1] == "state" && len(text)+len(t) <= 64 {
				text = append(text, t...)
			}
		case xml.EndElement:
			if strings.Join(path, "/") == "dialog-info/dialog/state" {
				if states++; states > maxDialogs {
					return bad
				}
				state := orOther(dialogStates.word(bytes.TrimSpace(text)))
				out.dialogs = append(out.dialogs, strings.TrimSpace(current+" "+state))
			}
			path = path[:len(path)-1]
		}
	}
	if out.entity == "" {
		return bad
	}
	slices.Sort(out.dialogs)
	return out
}

func attribute(t xml.StartElement, name string) string {
	for _, a := range t.Attr {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value
		}
	}
	return ""
}

// text writes the document canonically: what readDialogInfo read, and nothing else.
func (d *dialogInfo) text() []byte {
	if d.entity == "" {
		return []byte("<unreadable/>\r\n")
	}
	state := "partial"
	if d.full {
		state = "full"
	}
	var b bytes.Buffer
	b.WriteString(`<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" state="` + state + `" entity="` + string(d.entity) + "\">\r\n")
	for _, s := range d.dialogs {
		direction, state, two := strings.Cut(s, " ")
		if !two {
			direction, state = "", s
		}
		b.WriteString("<dialog")
		if direction != "" {
			b.WriteString(` direction="` + direction + `"`)
		}
		b.WriteString("><state>" + state + "</state></dialog>\r\n")
	}
	b.WriteString("</dialog-info>\r\n")
	return b.Bytes()
}
