//go:build interop

package interop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// realm is that of both platforms: phones keep one password for both.
const realm = "acme.example"

// startPlatform runs testdata/kamailio/platform.cfg: a registrar that asks for digest credentials and calls what
// registered. Its nonces are good nowhere else.
func startPlatform(t *testing.T, name string, defines ...string) *kamailio {
	t.Helper()
	return startKamailio(t, name, "platform.cfg", append([]string{fmt.Sprintf("REALM=%q", realm), fmt.Sprintf("SECRET=%q", name)}, defines...)...)
}

// trust is the define by which a platform takes our own REGISTERs from these listeners unchallenged.
func trust(own []string) string {
	return fmt.Sprintf("TRUST=%q", "^udp:("+strings.ReplaceAll(strings.Join(own, "|"), ".", "[.]")+")$")
}

// freeAddrs are addresses for servers that others have to know before they start.
func freeAddrs(t *testing.T, n int) (all []string) {
	for range n {
		all = append(all, freeAddr(t))
	}
	return all
}

// rpc asks Kamailio over JSON-RPC; false: it answered with an error of its own, such as an AoR that it does not know.
func (k *kamailio) rpc(to any, method string, params ...any) bool {
	k.t.Helper()
	ask, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "method": method, "params": params, "id": 1})
	if err != nil {
		k.t.Fatal(err)
	}
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Post("http://"+k.addr+"/RPC", "application/json", bytes.NewReader(ask))
	if err != nil {
		k.t.Fatalf("kamailio %s: %v", method, err)
	}
	defer resp.Body.Close()
	var answer struct{ Result, Error json.RawMessage }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		k.t.Fatalf("kamailio %s: %v", method, err)
	}
	if answer.Error != nil {
		return false
	}
	if err := json.Unmarshal(answer.Result, to); err != nil {
		k.t.Fatalf("kamailio %s: %v\n%s", method, err, answer.Result)
	}
	return true
}

// contact is one that Kamailio's usrloc holds.
type contact struct {
	Address string
	Expires int    // seconds from now
	CallID  string `json:"Call-ID"`
	Path    string // "[not set]" without one
	Q       float64
}

// contacts are those of a user.
func (k *kamailio) contacts(user string) (list []contact) {
	k.t.Helper()
	var aor struct{ Contacts []struct{ Contact contact } }
	if k.rpc(&aor, "ul.lookup", "location", user) {
		for _, c := range aor.Contacts {
			list = append(list, c.Contact)
		}
	}
	return list
}

// bindings counts the contacts of all users.
func (k *kamailio) bindings() int {
	k.t.Helper()
	var lines []string
	if !k.rpc(&lines, "stats.get_statistics", "location_contacts") || len(lines) != 1 {
		k.t.Fatalf("kamailio counts its contacts as %q", lines)
	}
	_, n, _ := strings.Cut(lines[0], " = ")
	count, err := strconv.Atoi(n)
	if err != nil {
		k.t.Fatal(err)
	}
	return count
}

// registrar counts the REGISTERs that ended so (saved, challenged, refused, brief), of one user, or of all with "", that
// came from one of these addresses, or from anywhere.
func (k *kamailio) registrar(what, user string, from ...string) int {
	k.t.Helper()
	text, err := os.ReadFile(k.log)
	if err != nil {
		k.t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		_, rest, ok := strings.Cut(line, "registrar ")
		f := strings.Fields(rest)
		if !ok || len(f) != 4 || f[0] != what || user != "" && f[1] != "sip:"+user+"@"+realm {
			continue
		}
		by := len(from) == 0
		for _, addr := range from {
			by = by || f[3] == "udp:"+addr
		}
		if by {
			n++
		}
	}
	return n
}
