package wire

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The torture messages of RFC 4475, each written from its description there, and what
// this package makes of each of them: FaultNone for what is forwarded.
var torture = []struct {
	name  string
	fault Fault
}{
	// 3.1.1 valid
	{"wsinv", FaultNone},
	{"intmeth", FaultNone},
	{"esc01", FaultNone},
	{"escnull", FaultNone},
	{"esc02", FaultNone},
	{"lwsdisp", FaultNone},
	{"longreq", FaultNone},
	{"dblreq", FaultNone}, // the first of the two
	{"semiuri", FaultNone},
	{"transports", FaultNone},
	{"mpart01", FaultNone},
	{"unreason", FaultNone},
	{"noreason", FaultNone},
	// 3.1.2 invalid
	{"badinv01", FaultVia},
	{"clerr", FaultBodyShort},
	{"ncl", FaultContentLength},
	{"scalar02", FaultCSeq},
	{"scalarlg", FaultCSeq},
	{"quotbal", FaultTo},
	{"ltgtruri", FaultStartLine},
	{"lwsruri", FaultStartLine},
	{"lwsstart", FaultStartLine},
	{"trws", FaultStartLine},
	{"escruri", FaultRequestURI},
	{"baddate", FaultNone},
	{"regbadct", FaultContact},
	{"badaspec", FaultTo},
	{"baddn", FaultFrom},
	{"badvers", FaultVersion},
	{"mismatch01", FaultCSeqMethod},
	{"mismatch02", FaultCSeqMethod},
	{"bigcode", FaultStatusCode},
	// 3.2 transaction layer
	{"badbranch", FaultNone},
	// 3.3 application layer
	{"insuf", FaultNoFrom},
	{"unkscm", FaultScheme},
	{"novelsc", FaultScheme},
	{"unksm2", FaultNone},
	{"bext01", FaultProxyRequire},
	{"invut", FaultNone},
	{"regaut01", FaultNone},
	{"multi01", FaultDuplicateHeader},
	{"mcl01", FaultDuplicateLength},
	{"bcast", FaultNextVia},
	{"zeromf", FaultHops},
	{"cparam01", FaultNone},
	{"cparam02", FaultNone},
	{"regescrt", FaultNone},
	{"sdp01", FaultNone},
	// 3.4 RFC 2543
	{"inv2543", FaultNone},
}

// The verdicts of the edge (spec: forward, the codes, or drop).
var tortureVerdicts = map[string]string{
	"forward": "wsinv intmeth esc01 escnull esc02 lwsdisp longreq semiuri transports mpart01 unreason noreason baddate unksm2 invut regaut01 sdp01 cparam01 cparam02 regescrt inv2543 dblreq badbranch",
	"400":     "badinv01 ncl scalar02 quotbal ltgtruri lwsruri lwsstart trws escruri badaspec baddn regbadct mismatch01 mismatch02 insuf multi01 mcl01 clerr",
	"drop":    "scalarlg bigcode bcast",
	"505":     "badvers",
	"416":     "unkscm novelsc",
	"420":     "bext01",
	"483":     "zeromf",
}

func tortureMessage(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "rfc4475", name+".sip"))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// judge is what an edge without state and without extensions says of a message.
func judge(m *Message, raw []byte) Fault {
	f := m.Scan(raw, nil)
	if f == FaultNone {
		f = m.Check()
	}
	if f == FaultNone {
		f = m.ProxyRequire()
	}
	return f
}

func TestTorture(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "rfc4475", "*.sip"))
	if err != nil || len(files) != len(torture) {
		t.Errorf("%d files for %d rows (%v)", len(files), len(torture), err)
	}
	for _, c := range torture {
		t.Run(c.name, func(t *testing.T) {
			raw := tortureMessage(t, c.name)
			var m Message
			f := judge(&m, raw)
			if f != c.fault {
				t.Fatalf("got %v, want %v", f, c.fault)
			}
			verdict := "forward"
			switch {
			case f != FaultNone && !m.Request:
				verdict = "drop"
			case f != FaultNone:
				verdict = string('0'+byte(f.Code()/100)) + string('0'+byte(f.Code()/10%10)) + string('0'+byte(f.Code()%10))
				if !m.Answerable {
					t.Error("can not be answered")
				}
				checkAnswer(t, &m, f)
			default:
				checkForward(t, &m)
			}
			if !slices.Contains(strings.Fields(tortureVerdicts[verdict]), c.name) {
				t.Errorf("verdict %s", verdict)
			}
		})
	}
}

// checkAnswer: the answer to a refused request goes back where it came from.
func checkAnswer(t *testing.T, m *Message, f Fault) {
	var via Via
	if via = m.TopVia; via.Host.Empty() {
		t.Fatal("no Via")
	}
	answer := m.AppendResponse(nil, f.Code(), "Refused", []byte("ours"), m.AppendUnsupported(nil))
	var r Message
	// Faults that a copied header has are found again in the answer.
	switch got := r.Scan(answer, nil); f {
	case FaultVia, FaultCSeq, FaultTo, FaultFrom, FaultNoFrom:
		if got != f {
			t.Errorf("answer: %v\n%s", got, answer)
		}
	default:
		if got != FaultNone {
			t.Errorf("answer: %v\n%s", got, answer)
		}
	}
	if r.Status != f.Code() || r.text(r.TopVia.Host) != m.text(via.Host) || r.CSeq != m.CSeq {
		t.Errorf("answer:\n%s", answer)
	}
	if f == FaultProxyRequire && !bytes.Contains(answer, []byte("Unsupported: noProxiesSupportThis, norDoAnyProxiesSupportThis\r\n")) {
		t.Errorf("answer:\n%s", answer)
	}
}

// checkForward: what goes out is what came in, but for folds and trailing bytes.
func checkForward(t *testing.T, m *Message) {
	var s Splice
	s.Reset(m)
	out := s.AppendTo(nil)
	if !m.folded && !bytes.Equal(out, m.Raw[:m.Body.End]) {
		t.Errorf("changed:\n%s", out)
	}
	again := mustScan(t, out)
	if again.folded || again.Trailing != 0 || len(again.Headers) != len(m.Headers) || again.text(again.Body) != m.text(m.Body) {
		t.Errorf("unfolded:\n%s", out)
	}
	for i := range m.Headers {
		if got, want := string(again.Value(i)), string(m.AppendUnfolded(nil, m.Headers[i].Value)); got != want || again.Headers[i].ID != m.Headers[i].ID {
			t.Errorf("header %d: got %q, want %q", i, got, want)
		}
	}
}

func TestTortureDetails(t *testing.T) {
	m := mustScan(t, tortureMessage(t, "wsinv"))
	if m.CSeq != 9 || !m.CSeqIs("INVITE") || m.MaxForwards != 68 || m.text(m.TopVia.Branch) != "390skdjuw" ||
		m.text(m.To.Tag) != "1918181833n" || m.text(m.From.Tag) != "98asjd8" || m.text(m.TopVia.Host) != "192.0.2.2" {
		t.Errorf("wsinv: %+v %+v %+v", m.TopVia, m.From, m.To)
	}
	var vias, contacts []string
	for e := range m.Elems(HVia) {
		v, ok := m.Via(e)
		if !ok {
			t.Error("wsinv: a Via can not be read")
		}
		vias = append(vias, m.text(v.Transport)+" "+m.text(v.Host)+" "+m.text(v.Branch))
	}
	for e := range m.Elems(HContact) {
		q, _ := Param(e.Params.Of(m.Raw), "q")
		contacts = append(contacts, m.text(e.URI)+" "+string(q))
	}
	if got := strings.Join(vias, "|"); got != "UDP 192.0.2.2 390skdjuw|TCP spindle.example.com z9hG4bK9ikj8|UDP 192.168.255.111 z9hG4bK30239" {
		t.Errorf("wsinv: vias %s", got)
	}
	if got := strings.Join(contacts, "|"); got != "sip:botanist@example.com 0.33" {
		t.Errorf("wsinv: contacts %s", got)
	}

	m = mustScan(t, tortureMessage(t, "dblreq"))
	if !m.Is("REGISTER") || !m.Body.Empty() || !bytes.HasPrefix(m.Raw[len(m.Raw)-m.Trailing:], []byte("INVITE")) {
		t.Errorf("dblreq: body %v, trailing %d", m.Body, m.Trailing)
	}

	m = mustScan(t, tortureMessage(t, "esc02"))
	n := 0
	for range m.Elems(HContact) {
		n++
	}
	if n != 2 || m.Is("REGISTER") {
		t.Errorf("esc02: %d contacts: a percent-escape is no escape in a name", n)
	}

	m = mustScan(t, tortureMessage(t, "inv2543"))
	if m.MaxForwards != -1 || m.ContentLength != -1 || !m.TopVia.Branch.Empty() || !m.From.Tag.Empty() {
		t.Error("inv2543: something is there that was not")
	}
}

// TestTorturePrefixes: nothing that is cut off anywhere is taken for a whole message.
func TestTorturePrefixes(t *testing.T) {
	for _, c := range torture {
		raw := tortureMessage(t, c.name)
		var m, whole Message
		complete := len(raw)
		if whole.Scan(raw, nil) == FaultNone {
			complete = int(whole.Body.End)
			if whole.ContentLength < 0 {
				complete = int(whole.Body.Start) // any more or less is a body as good
			}
		}
		for n := range len(raw) {
			cut := slices.Clone(raw[:n]) // an exact copy: reading past its end would panic
			if f := m.Scan(cut, nil); f == FaultNone && n < complete {
				t.Fatalf("%s: %d of %d bytes accepted as a datagram", c.name, n, complete)
			}
			got, kind, f := Frame(cut, nil)
			if kind == FrameMessage && (n < complete || got != complete || whole.ContentLength < 0) {
				t.Fatalf("%s: %d of %d bytes accepted from a stream (%v)", c.name, n, complete, f)
			}
		}
	}
}
