package record

import (
	"encoding/json"
	"unicode/utf8"
)

// Messages are kept as text, so that a file of exchanges can be read and searched by people; what is no text is base64.
type messageJSON struct {
	messageFields
	Text  string `json:"text,omitempty"`
	Bytes []byte `json:"bytes,omitempty"`
}

// messageFields is Message without its methods.
type messageFields Message

// MarshalJSON writes the message with its bytes as "text", or as "bytes" in base64 if they are no UTF-8.
func (m Message) MarshalJSON() ([]byte, error) {
	j := messageJSON{messageFields: messageFields(m)}
	if utf8.Valid(m.Raw) {
		j.Text = string(m.Raw)
	} else {
		j.Bytes = m.Raw
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (m *Message) UnmarshalJSON(b []byte) error {
	var j messageJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*m = Message(j.messageFields)
	if m.Raw = j.Bytes; j.Text != "" {
		m.Raw = []byte(j.Text)
	}
	return nil
}
