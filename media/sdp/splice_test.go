package sdp

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what is said now into testdata")

// A file of testdata/splice is one rewrite: its comment says what is asked, "in" is the description, "out" what it becomes.
// Lines of the comment: "media ADDR PORT[/RTCP]" for each m= in order ("media -": leave it), "origin ADDR", "ice remove|replace".
func TestSplice(t *testing.T) {
	files, err := filepath.Glob("testdata/splice/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %d files", err, len(files))
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			r := readRewrite(t, string(ar.Comment))
			var d Description
			if f := d.Scan(crlf(string(ar.Files[0].Data))); f != FaultNone {
				t.Fatal(f)
			}
			out := strings.ReplaceAll(string(d.Append(nil, r)), "\r\n", "\n")
			if *update {
				ar.Files = append(ar.Files[:1], txtar.File{Name: "out", Data: []byte(out)})
				if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if len(ar.Files) != 2 || out != string(ar.Files[1].Data) {
				t.Errorf("became\n%s", out)
			}
		})
	}
}

func readRewrite(t *testing.T, text string) *Rewrite {
	r := new(Rewrite)
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		switch {
		case len(f) == 0 || f[0] == "#":
		case f[0] == "media" && f[1] == "-":
			r.Media = append(r.Media, Endpoint{})
		case f[0] == "media":
			rtp, rtcp, _ := strings.Cut(f[2], "/")
			r.Media = append(r.Media, Endpoint{netip.MustParseAddr(f[1]), port(rtp), port(rtcp)})
		case f[0] == "origin":
			r.Origin = netip.MustParseAddr(f[1])
		case f[0] == "ice":
			r.ICE = map[string]ICE{"remove": ICERemove, "replace": ICEReplace}[f[1]]
		default:
			t.Fatalf("what is %q?", line)
		}
	}
	return r
}

func port(s string) uint16 {
	n, _ := strconv.ParseUint(s, 10, 16)
	return uint16(n)
}

// The last line may have no end, and whatever is deleted or inserted there, lines stay lines.
func TestSpliceAtTheEnd(t *testing.T) {
	relay := netip.MustParseAddr("198.51.100.1")
	for _, c := range []struct {
		name, in, want string
		ep             Endpoint
		ice            ICE
	}{
		{"c= after the last line", "v=0\nc=IN IP4 192.0.2.1\nm=message 5 TCP/MSRP *\nm=audio 4000 RTP/AVP 0",
			"v=0\nc=IN IP4 192.0.2.1\nm=message 5 TCP/MSRP *\nm=audio 30000 RTP/AVP 0\nc=IN IP4 198.51.100.1", Endpoint{relay, 30000, 0}, ICEKeep},
		{"a=rtcp after an ICE line that goes", "v=0\nc=IN IP4 192.0.2.1\nm=message 0 TCP/MSRP *\nm=audio 4000 RTP/AVP 0\na=candidate:1 1 UDP 1 192.0.2.1 4000 typ host",
			"v=0\nc=IN IP4 198.51.100.1\nm=message 0 TCP/MSRP *\nm=audio 30000 RTP/AVP 0\na=rtcp:30005\n", Endpoint{relay, 30000, 30005}, ICERemove},
		{"candidates after the last line", "v=0\nc=IN IP4 192.0.2.1\nm=message 0 TCP/MSRP *\nm=audio 4000 RTP/AVP 0\na=ice-ufrag:u",
			"v=0\nc=IN IP4 198.51.100.1\nm=message 0 TCP/MSRP *\nm=audio 30000 RTP/AVP 0\na=ice-ufrag:u\na=candidate:1 1 UDP 2130706431 198.51.100.1 30000 typ host", Endpoint{relay, 30000, 30000}, ICEReplace},
	} {
		for _, eol := range []string{"\r\n", "\n"} {
			var d Description
			if f := d.Scan([]byte(strings.ReplaceAll(c.in, "\n", eol))); f != FaultNone {
				t.Fatal(f)
			}
			got := string(d.Append([]byte("before"), &Rewrite{Media: []Endpoint{{}, c.ep}, ICE: c.ice}))
			if want := "before" + strings.ReplaceAll(c.want, "\n", eol); got != want {
				t.Errorf("%s:\n%q, want\n%q", c.name, got, want)
			}
		}
	}
}

// What a description says already, it says byte for byte after a rewrite to the same.
func TestSpliceToTheSame(t *testing.T) {
	in := crlf("v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-  two  spaces\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\na=rtcp:4001 IN IP4 192.0.2.1\nm=audio 0 RTP/AVP 0\n")
	var d Description
	if f := d.Scan(in); f != FaultNone {
		t.Fatal(f)
	}
	a := netip.MustParseAddr("192.0.2.1")
	for i, r := range []*Rewrite{{}, {Media: []Endpoint{{a, 4000, 4001}, {a, 5000, 0}}, Origin: a}} {
		if out := d.Append(nil, r); string(out) != string(in) {
			t.Errorf("%d: %q", i, out)
		}
	}
}

func ExampleDescription_Append() {
	offer := []byte("v=0\r\no=- 1 1 IN IP4 10.0.0.5\r\ns=-\r\nc=IN IP4 10.0.0.5\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n")
	var d Description
	if fault := d.Scan(offer); fault != FaultNone {
		fmt.Println("488", fault)
		return
	}
	relay := Endpoint{Addr: netip.MustParseAddr("198.51.100.1"), RTP: 30000}
	out := d.Append(nil, &Rewrite{Media: []Endpoint{relay}})
	fmt.Print(strings.ReplaceAll(string(out), "\r\n", "\n"))
	// Output:
	// v=0
	// o=- 1 1 IN IP4 10.0.0.5
	// s=-
	// c=IN IP4 198.51.100.1
	// t=0 0
	// m=audio 30000 RTP/AVP 0
}
