package report

import (
	"bytes"
	"io"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/compare"
	"github.com/hotcut/hotcut/migration/shadow/record"
)

// attack is what somebody writes into every field that he can reach: an end to any context, a script, a link, control
// characters, a text direction, and length.
const attack = "\"'`></textarea></title></style></script><script>window.owned=1;document.title='owned'</script><img src=https://evil.example/x onerror=owned=1>" +
	"{{.}} javascript:owned=1 ](https://evil.example) | --- |\n\n# owned\r\n<b>\x1b[31m\x1b]0;owned\x07\u202e\u2028\x00\xff&lt; "

var long = strings.Repeat("w", 3000)

// hostile is fixture with an attack in every string that it holds.
func hostile() *Document {
	d := fixture()
	poison(reflect.ValueOf(d).Elem())
	for _, p := range d.Examples {
		for _, x := range []*record.Exchange{p.Live, p.Shadow} {
			for i := range x.Near.Messages {
				x.Near.Messages[i].Raw = []byte(attack + long)
			}
			x.Near.Messages[0].Raw = []byte("SIP/2.0 200 " + attack)
		}
	}
	d.Next = append(d.Next, long)
	return d
}

func poison(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if v.CanSet() && v.Type() != reflect.TypeFor[compare.ClusterID]() {
			v.SetString(attack + v.String())
		}
	case reflect.Pointer:
		if !v.IsNil() {
			poison(v.Elem())
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			poison(v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			poison(v.Index(i))
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			poison(v.MapIndex(k))
		}
	}
}

func TestHostileHTML(t *testing.T) {
	var b bytes.Buffer
	if err := HTML(&b, hostile()); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	if n := strings.Count(page, "<script"); n != 1 {
		t.Errorf("%d scripts, want ours", n)
	}
	for _, bad := range []string{"<img", "<b>\x1b", "onerror=owned=1>", "<iframe"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page contains %q as markup", bad)
		}
	}
	if !strings.Contains(page, "&lt;script&gt;") {
		t.Error("the attack was not shown as text either: the test proves nothing")
	}
}

// The page asks for nothing: no attribute leads anywhere but into it.
func TestHTMLNeedsNoNetwork(t *testing.T) {
	var b bytes.Buffer
	if err := HTML(&b, fixture()); err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?i)\b(src|href|action|data|poster|srcset|xlink:href)\s*=\s*"?([^">\s]*)`).FindAllStringSubmatch(b.String(), -1) {
		if !strings.HasPrefix(m[2], "#") {
			t.Errorf("%s leads out of the page", m[0])
		}
	}
	for _, bad := range []string{"@import", "url(", "http://", "https://", "fetch(", "XMLHttpRequest", "import("} {
		if strings.Contains(b.String(), bad) {
			t.Errorf("the page contains %q", bad)
		}
	}
	if !strings.Contains(b.String(), `content="default-src &#39;none&#39;;`) && !strings.Contains(b.String(), `content="default-src 'none';`) {
		t.Error("the page does not forbid itself the network")
	}
}

func TestHostilePlain(t *testing.T) {
	d := hostile()
	for name, render := range map[string]func(io.Writer, *Document) error{"table": Table, "markdown": Markdown} {
		var b bytes.Buffer
		if err := render(&b, d); err != nil {
			t.Fatal(err)
		}
		for i, r := range b.String() {
			if r < ' ' && r != '\n' || r == 0x7f || r == '\u202e' || r == '\u2028' {
				t.Errorf("%s: control character %q at %d", name, r, i)
				break
			}
		}
		if name == "markdown" && regexp.MustCompile(`(?m)^(# owned|[^ \n].*[^\\]<script)`).MatchString(b.String()) {
			t.Error("Markdown: a value became markup")
		}
	}
	for _, p := range d.Examples {
		var b bytes.Buffer
		if err := Call(&b, p); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(b.String(), "\x1b\x00\x07\r") {
			t.Error("a control character reaches the terminal")
		}
	}
}

// No report says that a tenant may move: nothing here measures that.
func TestNoPermission(t *testing.T) {
	for _, render := range []func(io.Writer, *Document) error{Table, Markdown, HTML} {
		var b bytes.Buffer
		if err := render(&b, fixture()); err != nil {
			t.Fatal(err)
		}
		if regexp.MustCompile(`(?i)\bready\b|\bsafe to\b|\bapproved\b`).MatchString(b.String()) {
			t.Error("the report gives a verdict that nobody measured")
		}
		if !strings.Contains(b.String(), disclaimer) {
			t.Error("the report does not say what it is not")
		}
	}
}
