package policy

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files again; review them as prose")

// section is one "-- name --" part of a golden file.
type section struct{ name, text string }

// sections reads the txtar form: a comment, then parts under "-- name --" lines, in order.
func sections(b string) (comment string, list []section) {
	for line := range strings.Lines(b) {
		name, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "-- ")
		name, ok2 := strings.CutSuffix(name, " --")
		switch {
		case ok && ok2:
			list = append(list, section{name: name})
		case len(list) == 0:
			comment += line
		default:
			list[len(list)-1].text += line
		}
	}
	return comment, list
}

// golden runs every file of testdata/dir. step gets each section in order and returns what should stand in the answer
// section that follows it ("" for none); with -update the answers are written.
func golden(t *testing.T, dir string, start func() func(t *testing.T, s section) string) {
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files in %s: %v", dir, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			comment, list := sections(string(raw))
			out := bytes.NewBufferString(comment)
			step := start()
			for i := 0; i < len(list); i++ {
				fmt.Fprintf(out, "-- %s --\n%s", list[i].name, list[i].text)
				got := step(t, list[i])
				if got == "" {
					continue
				}
				got = strings.TrimRight(got, "\n") + "\n"
				want := ""
				if i+1 < len(list) && list[i+1].name == "want" {
					i++
					want = list[i].text
				}
				gap := want[len(strings.TrimRight(want, "\n")):] // blank lines between pairs
				if want != "" && gap != "" {
					gap = gap[1:]
				}
				fmt.Fprintf(out, "-- want --\n%s%s", got, gap)
				if strings.TrimRight(want, "\n")+"\n" != got && !*update {
					t.Errorf("after\n%s\ngot\n%s\nwant\n%s", list[i-1].text, got, want)
				}
			}
			if *update {
				if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// readTenants reads records as a golden file writes them: a JSON object after another, salt and hash version filled in.
func readTenants(t *testing.T, text string) []*Tenant {
	t.Helper()
	var list []*Tenant
	d := json.NewDecoder(strings.NewReader(text))
	for d.More() {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if string(raw) == "null" {
			list = append(list, nil)
			continue
		}
		r, err := ParseTenant(raw)
		if err != nil {
			t.Fatalf("%v in\n%s", err, raw)
		}
		if r.Salt == "" {
			r.Salt = testSalt
		}
		if r.HashVer == 0 {
			r.HashVer = 1
		}
		list = append(list, r)
	}
	return list
}

// scenario is what the sections of one decide file build up.
type scenario struct {
	tenants   []*Tenant
	globals   Globals
	overrides *Overrides
}

func TestDecideGolden(t *testing.T) {
	golden(t, "decide", func() func(*testing.T, section) string {
		var sc scenario
		return func(t *testing.T, s section) string {
			t.Helper()
			switch s.name {
			case "policy":
				sc.tenants = readTenants(t, s.text)
			case "globals":
				g, err := ParseGlobals([]byte(s.text))
				if err != nil {
					t.Fatal(err)
				}
				sc.globals = g
			case "overrides":
				sc.overrides = new(Overrides)
				if err := json.Unmarshal([]byte(s.text), sc.overrides); err != nil {
					t.Fatal(err)
				}
			case "step":
				return sc.ask(t, s.text)
			default:
				t.Fatalf("unknown section %q", s.name)
			}
			return ""
		}
	})
}

func (sc *scenario) ask(t *testing.T, text string) string {
	t.Helper()
	s, err := NewSnapshot(Head{Epoch: testEpoch, Rev: 12}, sc.globals, sc.tenants)
	if err != nil {
		t.Fatal(err)
	}
	s = s.WithOverrides(sc.overrides)
	var out strings.Builder
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		q := question(t, line)
		var tr Trace
		query := s.Resolve(&q, &tr)
		d := s.Decide(query)
		fmt.Fprintf(&out, "%s keep=%s mirror=%t reason=%s", d.Platform, dash(d.Keep), d.Mirror, d.Why())
		if d.Pool != "" {
			fmt.Fprintf(&out, " pool=%s", d.Pool)
		}
		fmt.Fprintf(&out, "   tenant=%s by=%s %s unit=%s", orNone(d.Tenant), tr.Matched, tr.Direction, orNone(query.Unit))
		if n := tr.Called(); n != "" {
			fmt.Fprintf(&out, " called=%s", n)
		}
		if n := tr.Caller(); n != "" {
			fmt.Fprintf(&out, " caller=%s", n)
		}
		if query.Trunk != "" {
			fmt.Fprintf(&out, " trunk=%s", query.Trunk)
		}
		if query.Emergency {
			out.WriteString(" EMERGENCY")
		}
		out.WriteByte('\n')
	}
	return out.String()
}

func dash(p Platform) string {
	if p == NoPlatform {
		return "-"
	}
	return p.String()
}

// question reads "INVITE bob@acme.example -> 3035550100@acme.example source=192.0.2.1:5060/tcp from=legacy ...".
func question(t *testing.T, line string) Question {
	t.Helper()
	q := Question{Source: netip.MustParseAddrPort("198.51.100.99:5060"), Transport: "udp", Now: 1000}
	words := strings.Fields(line)
	if len(words) < 4 || words[2] != "->" {
		t.Fatalf("step %q: want METHOD FROM -> TO", line)
	}
	q.Method = words[0]
	q.FromUser, q.FromHost, _ = ParseParty(words[1])
	q.ToUser, q.ToHost, q.ToTel = ParseParty(words[3])
	for _, w := range words[4:] {
		k, v, _ := strings.Cut(w, "=")
		var err error
		switch k {
		case "source":
			addr, transport, ok := strings.Cut(v, "/")
			if ok {
				q.Transport = transport
			}
			q.Source, err = netip.ParseAddrPort(addr)
		case "from":
			err = q.FromPlatform.UnmarshalText([]byte(v))
		case "carrier":
			q.Carrier, q.NumberFormat = true, v
			err = CheckNumberFormat(v)
		case "now":
			q.Now, err = strconv.ParseInt(v, 10, 64)
		case "mirror":
			var n int
			n, err = strconv.Atoi(v)
			q.Mirror = uint16(n)
		default:
			t.Fatalf("step %q: unknown word %s", line, w)
		}
		if err != nil {
			t.Fatalf("step %q: %v", line, err)
		}
	}
	return q
}

// TestRefuseGolden: policies that are not taken, and the whole text of the refusal.
func TestRefuseGolden(t *testing.T) {
	golden(t, "refuse", func() func(*testing.T, section) string {
		return func(t *testing.T, s section) string {
			t.Helper()
			var err error
			switch s.name {
			case "policy":
				_, err = NewSnapshot(Head{Epoch: testEpoch, Rev: 1}, Globals{}, readTenants(t, s.text))
			case "globals":
				var g Globals
				if g, err = ParseGlobals([]byte(s.text)); err == nil {
					_, err = NewSnapshot(Head{Epoch: testEpoch, Rev: 1}, g, nil)
				}
			case "record":
				_, err = ParseTenant([]byte(s.text))
			case "change":
				_, err = ParseChange([]byte(s.text))
			default:
				t.Fatalf("unknown section %q", s.name)
			}
			if err == nil {
				return "taken"
			}
			if reflect.TypeOf(err) != reflect.TypeFor[*Refusal]() {
				t.Errorf("the refusal is a %T", err)
			}
			return err.Error()
		}
	})
}

// TestMotionGolden: records before and after, and where that could move anybody.
func TestMotionGolden(t *testing.T) {
	golden(t, "motion", func() func(*testing.T, section) string {
		gb, ga := Globals{}, Globals{}
		return func(t *testing.T, s section) string {
			t.Helper()
			switch s.name {
			case "globals": // before, after
				d := json.NewDecoder(strings.NewReader(s.text))
				gb, ga = Globals{}, Globals{}
				if err := d.Decode(&gb); err != nil {
					t.Fatal(err)
				}
				if err := d.Decode(&ga); err != nil {
					t.Fatal(err)
				}
				return ""
			case "change": // before, after
				list := readTenants(t, s.text)
				if len(list) != 2 {
					t.Fatalf("%d records, want before and after", len(list))
				}
				return MotionOf(list[0], list[1], gb, ga).String()
			}
			t.Fatalf("unknown section %q", s.name)
			return ""
		}
	})
}
