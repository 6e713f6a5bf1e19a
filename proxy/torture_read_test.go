package proxy

import (
	"bufio"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A reading is a message as a reader of other taste than proxy/wire sees it: lines, joined where they are folded, and
// names in their long form. What the edge forwards is compared by it.
type reading struct {
	text   string
	start  string
	fields []field
	body   string
}

type field struct{ spelled, name, value string }

var (
	foldedLine = regexp.MustCompile(`[ \t]*(\r\n[ \t]+)+`)
	compact    = map[string]string{"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length", "c": "content-type", "s": "subject"}
)

func read(text string) reading {
	head, body, _ := strings.Cut(text, "\r\n\r\n")
	lines := strings.Split(foldedLine.ReplaceAllString(head, " "), "\r\n")
	r := reading{text: text, start: lines[0], body: body}
	for _, l := range lines[1:] {
		spelled, value, _ := strings.Cut(l, ":")
		spelled = strings.Trim(spelled, " \t")
		name := strings.ToLower(spelled)
		if long, ok := compact[name]; ok {
			name = long
		}
		r.fields = append(r.fields, field{spelled, name, strings.Trim(value, " \t")})
	}
	return r
}

// all are the values of a header, in order.
func (r reading) all(name string) (list []string) {
	for _, f := range r.fields {
		if f.name == name {
			list = append(list, f.value)
		}
	}
	return list
}

func (r reading) get(name string) string {
	if list := r.all(name); len(list) > 0 {
		return list[0]
	}
	return ""
}

// whole is how many bytes of the text are the message: all, unless a Content-Length says less.
func (r reading) whole() int {
	end := len(r.text) - len(r.body)
	if n, err := strconv.Atoi(r.get("content-length")); err == nil && n >= 0 && n <= len(r.body) {
		return end + n
	}
	if r.get("content-length") == "" {
		return end // any more or less is a body as good
	}
	return len(r.text)
}

// answerTo answers a request that was read, header names of any kind.
func (r reading) answer(status string) string {
	var b strings.Builder
	b.WriteString("SIP/2.0 " + status + "\r\n")
	for _, f := range r.fields {
		switch f.name {
		case "to":
			if !strings.Contains(f.value, "tag") {
				f.value += ";tag=answers"
			}
			fallthrough
		case "via", "from", "call-id", "cseq":
			b.WriteString(f.name + ": " + f.value + "\r\n")
		}
	}
	return b.String() + "Content-Length: 0\r\n\r\n"
}

// reader is one stream, read as readings by it.
type streamReader struct {
	t    *testing.T
	conn *net.TCPConn
	got  chan reading // closed when the stream has ended
}

func newStreamReader(t *testing.T, c net.Conn) *streamReader {
	s := &streamReader{t: t, conn: c.(*net.TCPConn), got: make(chan reading, 256)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(s.got)
		for in := bufio.NewReader(c); ; {
			text := ""
			for !strings.HasSuffix(text, "\r\n\r\n") {
				line, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if text += line; text == "\r\n" {
					text = ""
				}
			}
			n, err := strconv.Atoi(read(text).get("content-length"))
			if err != nil {
				return
			}
			body := make([]byte, n)
			if _, err := io.ReadFull(in, body); err != nil {
				return
			}
			if r := read(text + string(body)); !strings.HasPrefix(r.get("call-id"), "probe-") {
				s.got <- r
			}
		}
	}()
	t.Cleanup(func() { c.Close(); <-done })
	return s
}

func (s *streamReader) send(raw []byte) {
	s.t.Helper()
	if _, err := s.conn.Write(raw); err != nil {
		s.t.Fatal(err)
	}
}

// next is the next message but 100 of the edge's own; false: the stream has ended.
func (s *streamReader) next() (reading, bool) {
	s.t.Helper()
	for {
		select {
		case r, ok := <-s.got:
			if ok && strings.HasPrefix(r.start, "SIP/2.0 100") {
				continue
			}
			return r, ok
		case <-time.After(patience):
			s.t.Fatal("nothing came over the stream")
		}
	}
}
