package location

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestRecordKeepsEveryByte(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		b := anyBinding(r)
		raw, err := AppendRecord(nil, b)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(raw, '\n') >= 0 {
			t.Fatalf("a record is more than a line: %q", raw)
		}
		got, err := ParseRecord(raw)
		if err != nil || *got != *b {
			t.Fatalf("%s\nis read as %+v, %v\nwant %+v", raw, got, err, b)
		}
	}
}

func TestRecordRefuses(t *testing.T) {
	good, err := AppendRecord(nil, phone(1))
	if err != nil {
		t.Fatal(err)
	}
	edit := func(old, new string) string {
		s := strings.Replace(string(good), old, new, 1)
		if s == string(good) {
			t.Fatalf("%s is not in %s", old, s)
		}
		return s
	}
	for name, raw := range map[string]string{
		"nothing":          "",
		"no JSON":          "{",
		"null":             "null",
		"another type":     `["id"]`,
		"empty":            "{}",
		"no id":            edit(`"id":"`, `"di":"`),
		"bad id":           edit(`"id":"0`, `"id":"A`),
		"no AoR":           edit(`"aor":"`, `"roa":"`),
		"stamp too late":   edit(`"stamp":1900000000000000`, `"stamp":9007199254740992`),
		"stamp below zero": edit(`"stamp":1`, `"stamp":-1`),
		"hold too late":    edit(`"until":1900003600`, `"until":19000036000`),
		"told too late":    edit(`"told":1900003600`, `"told":19000036000`),
		"address":          edit(`:5060"`, `:506000"`),
		"wide character":   strings.Replace(edit(`"aor":"`, `"aor":"€`), "{", `{"bytes":true,`, 1),
		"too long":         edit(`"agent":"`, `"agent":"`+strings.Repeat("x", MaxRecord)),
	} {
		if b, err := ParseRecord([]byte(raw)); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: %+v, %v", name, b, err)
		}
	}
}

// Fits must never say yes to what can not be written.
func TestFits(t *testing.T) {
	for _, piece := range []string{"x", "\x01", "\xff", "<", "\"", "\u2028", "é"} {
		yes, no := 0, 0
		for n := 0; n < 10_000; n += 37 {
			b := phone(1)
			b.Flow.Conn, b.Rev, b.CSeq = 1<<64-1, 1<<64-1, 1<<32-1
			b.Contact = strings.Repeat(piece, n/len(piece))
			_, err := AppendRecord(nil, b)
			if Fits(b) != (err == nil) {
				t.Fatalf("%q %d times: Fits %v, %v", piece, n/len(piece), Fits(b), err)
			}
			if err == nil {
				yes++
			} else {
				no++
			}
		}
		if yes == 0 || no == 0 {
			t.Errorf("%q: %d fit, %d do not", piece, yes, no)
		}
	}
}

func FuzzParseRecord(f *testing.F) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 20 {
		raw, _ := AppendRecord(nil, anyBinding(r))
		f.Add(raw)
	}
	raw, _ := AppendRecord(nil, phone(1))
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := ParseRecord(raw)
		if err != nil {
			return
		}
		again, err := AppendRecord(nil, b)
		if err != nil {
			if errors.Is(err, ErrRecord) {
				return // it became longer than it was
			}
			t.Fatal(err)
		}
		got, err := ParseRecord(again)
		if err != nil || *got != *b {
			t.Fatalf("%q\nis %+v,\nthen %+v, %v", raw, b, got, err)
		}
	})
}
