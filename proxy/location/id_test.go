package location

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"strings"
	"testing"
)

func TestIDText(t *testing.T) {
	for _, id := range []ID{{}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}} {
		want := strings.ToLower(base32.HexEncoding.EncodeToString(id[:]))
		if id.String() != want {
			t.Errorf("%x is %s, want %s", id[:], id, want)
		}
		if got, ok := ParseID([]byte(want)); !ok || got != id {
			t.Errorf("%s is read as %x, %v", want, got[:], ok)
		}
	}
	for _, bad := range []string{"", "0123456789abcde", "0123456789abcdefg", "0123456789abcdeF", "0123456789abcdew", "0123456789abcde=", "0123456789abcd\xff0"} {
		if id, ok := ParseID([]byte(bad)); ok {
			t.Errorf("%q is read as %s", bad, id)
		}
	}
}

func FuzzParseID(f *testing.F) {
	f.Add([]byte("0123456789abcdef"))
	f.Add([]byte("vvvvvvvvvvvvvvvv"))
	f.Add([]byte("VVVVVVVVVVVVVVVV"))
	f.Fuzz(func(t *testing.T, b []byte) {
		id, ok := ParseID(b)
		if ok && !bytes.Equal(id.Append(nil), b) {
			t.Errorf("%q has a second spelling %s", b, id)
		}
	})
}

// The id is a plain HMAC over length-prefixed fields: whatever computes it elsewhere must agree for ever.
func TestNamer(t *testing.T) {
	key := []byte("a key of an installation, 32 byt")
	fields := []string{"hotcut binding id", "acme", "anna@acme.example", "sip:anna@192.0.2.7:5060", `"<urn:uuid:1>"`, "1"}
	mac := hmac.New(sha256.New, key)
	for _, f := range fields {
		var n [4]byte
		binary.BigEndian.PutUint32(n[:], uint32(len(f)))
		mac.Write(append(n[:], f...))
	}
	n := NewNamer(key)
	want := ID(mac.Sum(nil)[:10])
	for range 2 {
		if got := n.ID(fields[1], fields[2], []byte(fields[3]), []byte(fields[4]), []byte(fields[5])); got != want {
			t.Fatalf("%s, want %s", got, want)
		}
	}
	if n.ID("ab", "c", nil, nil, nil) == n.ID("a", "bc", nil, nil, nil) || n.ID("a", "b", []byte("c"), nil, nil) == n.ID("a", "b", nil, []byte("c"), nil) {
		t.Error("fields run into each other")
	}
	if NewNamer([]byte("x")).ID("a", "b", nil, nil, nil) == n.ID("a", "b", nil, nil, nil) {
		t.Error("the key does not matter")
	}
	big := bytes.Repeat([]byte("x"), 1<<20)
	n.ID("a", "b", big, nil, nil)
	if cap(n.buf) > maxNamed {
		t.Errorf("the namer keeps %d bytes", cap(n.buf))
	}
}

func TestNamesDoNotAllocate(t *testing.T) {
	n := NewNamer([]byte("key"))
	uri, instance, reg := []byte("sip:anna@192.0.2.7:5060"), []byte("<urn:uuid:1>"), []byte("1")
	var id ID
	var buf [IDLen]byte
	if a := testing.AllocsPerRun(100, func() { id = n.ID("acme", "anna@acme.example", uri, instance, reg) }); a != 0 {
		t.Errorf("ID: %v allocations", a)
	}
	if a := testing.AllocsPerRun(100, func() {
		if got, ok := ParseID(id.Append(buf[:0])); !ok || got != id {
			t.Error(got)
		}
	}); a != 0 {
		t.Errorf("text: %v allocations", a)
	}
}
