package ng

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestDecode(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Dict
		err  error
	}{
		{"de", Dict{}, nil},
		{"d1:ai-12e1:bl1:x0:i0eee", Dict{"a": int64(-12), "b": []any{"x", "", int64(0)}}, nil},
		{"d1:b0:1:ad1:clleleeee", Dict{"b": "", "a": Dict{"c": []any{[]any{}, []any{}}}}, nil}, // any order of keys
		{"d1:ai9223372036854775807ee", Dict{"a": int64(1<<63 - 1)}, nil},
		{"", nil, errNotDict},
		{"i5e", nil, errNotDict},
		{"4:spam", nil, errNotDict},
		{"d", nil, errTruncated},
		{"d1:a", nil, errTruncated},
		{"d1:ai5", nil, errTruncated},
		{"d1:al", nil, errTruncated},
		{"d1", nil, errTruncated},
		{"dee", nil, errTrailing},
		{"de\n", nil, errTrailing},
		{"d1:a1:x1:a1:ye", nil, errTwice},
		{"di1e1:xe", nil, errKey},
		{"d1:ax", nil, errType},
		{"d1:a-1:xe", nil, errType},
		{"d01:a1:xe", nil, errLength},
		{"d1:a9:xe", nil, errLength},
		{"d1:a99999999999999999999:xe", nil, errLength},
		{"d1:a1x1:xe", nil, errLength},
		{"d1:ai007ee", nil, errInteger},
		{"d1:ai-0ee", nil, errInteger},
		{"d1:ai+1ee", nil, errInteger},
		{"d1:aiee", nil, errInteger},
		{"d1:ai9223372036854775808ee", nil, errInteger},
		{"d1:ai" + strings.Repeat("1", 100) + "ee", nil, errInteger},
		{"d1:a" + strings.Repeat("l", maxDepth-1) + strings.Repeat("e", maxDepth), nil, nil},
		{"d1:a" + strings.Repeat("l", maxDepth+1) + strings.Repeat("e", maxDepth+2), nil, errDepth},
		{"d1:al" + strings.Repeat("0:", maxElements+1) + "ee", nil, errElements},
	} {
		got, err := decode([]byte(c.in))
		if !errors.Is(err, c.err) || c.err == nil && err != nil {
			t.Errorf("%.40q: %v, want %v", c.in, err, c.err)
		}
		if c.want != nil && !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: %v", c.in, got)
		}
	}
}

func TestEncodeSortsKeys(t *testing.T) {
	got := string(appendDict(nil, Dict{"b": "x", "a": int64(-1), "c": []any{Dict{}, 1.5, "y"}, "d": struct{}{}}))
	if want := "d1:ai-1e1:b1:x1:clde1:yee"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestCutMessage(t *testing.T) {
	for in, want := range map[string]string{
		"c1 de": "c1|de", "c1 ": "c1|", strings.Repeat("c", MaxCookie) + " de": strings.Repeat("c", MaxCookie) + "|de",
		"": "", " de": "", "c1": "", "c\x01 de": "", "\xff de": "", strings.Repeat("c", MaxCookie+1) + " de": "",
	} {
		cookie, body, err := cutMessage([]byte(in))
		if got := cookie + "|" + string(body); err == nil && got != want || (err != nil) != (want == "") {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

// FuzzDecode: no panic; what is accepted is the same after a round of writing and reading; requests, responses and reports can be
// read out of anything.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("d1:ai-12e1:bl1:x0:i0eee"))
	f.Add([]byte("d7:command5:offer7:call-id1:c8:from-tag1:f3:sdp3:v=05:flagsl13:trust-addresse13:received froml3:IP49:127.0.0.1ee"))
	r := Response{SDP: "v=0", Report: sampleReport()}
	f.Add(appendDict(nil, r.dict(Query)))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := decode(b)
		if err != nil {
			return
		}
		out := appendDict(nil, d)
		again, err := decode(out)
		if err != nil || !reflect.DeepEqual(again, d) || len(out) != len(b) {
			t.Fatalf("%v: %q became %q", err, b, out)
		}
		for _, c := range []Command{Ping, Query, List} {
			readResponse(c, d)
		}
		if d["tags"] != nil {
			first := Dict{}
			readReport(d).write(first)
			second := Dict{}
			readReport(first).write(second)
			if !reflect.DeepEqual(first, second) {
				t.Fatalf("report\n%v\nbecame\n%v", first, second)
			}
		}
		q, err := readRequest(d)
		if err != nil {
			return
		}
		same, err := readRequest(q.dict())
		if err != nil || !reflect.DeepEqual(same.dict(), q.dict()) {
			t.Fatalf("%v: request\n%+v\nbecame\n%+v", err, q, same)
		}
	})
}
