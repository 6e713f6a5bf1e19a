package record

import (
	"bytes"
	"strings"
)

// summary is what a message lamp shows (RFC 3842).
type summary struct {
	waiting string // "yes", "no"; "other": unreadable
	account Address
	counts  []string // in order: "voice-message 2/8 (0/2)"
}

func (r *Redactor) readSummary(b []byte) summary {
	s := summary{waiting: "other"}
	for line := range bytes.SplitSeq(b, []byte("\n")) {
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			continue
		}
		value = bytes.TrimSpace(value)
		switch name = trim(name); {
		case bytes.EqualFold(name, []byte("Messages-Waiting")):
			s.waiting = "other"
			if w := yesNo.word(value); w == "yes" || w == "no" {
				s.waiting = w
			}
		case bytes.EqualFold(name, []byte("Message-Account")):
			s.account = r.Address(string(value))
		case messageClasses.word(name) != "" && len(s.counts) < maxElems:
			if c, ok := counts(value); ok {
				s.counts = append(s.counts, messageClasses.word(name)+" "+c)
			}
		}
	}
	return s
}

// counts reads "2/8 (0/2)": new and old, and of these how many are urgent, each of up to three digits.
func counts(b []byte) (string, bool) {
	all, urgent, _ := bytes.Cut(b, []byte("("))
	out, ok := pair(trim(all))
	if urgent = trim(urgent); ok && len(urgent) > 0 {
		if u, has := pair(bytes.TrimSuffix(urgent, []byte(")"))); has {
			out += " (" + u + ")"
		}
	}
	return out, ok
}

func pair(b []byte) (string, bool) {
	left, right, _ := bytes.Cut(b, []byte("/"))
	x, ok := small(trim(left))
	y, also := small(trim(right))
	return x + "/" + y, ok && also
}

// text writes the summary canonically.
func (s *summary) text() []byte {
	var b strings.Builder
	b.WriteString("Messages-Waiting: " + s.waiting + "\r\n")
	if s.account != "" {
		b.WriteString("Message-Account: " + string(s.account) + "\r\n")
	}
	for _, c := range s.counts {
		name, count, _ := strings.Cut(c, " ")
		b.WriteString(name + ": " + count + "\r\n")
	}
	return []byte(b.String())
}

// state is the whole lamp in words.
func (s *summary) state() string {
	return strings.Join(append([]string{"waiting " + s.waiting}, s.counts...), ", ")
}
