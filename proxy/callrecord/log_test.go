package callrecord

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, dir string, maxBytes int64, maxIndex int) *Log {
	t.Helper()
	l, err := Open(dir, maxBytes, maxIndex)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.files.close() })
	return l
}

func ids(rs []Record) string {
	var out []string
	for _, r := range rs {
		out = append(out, r.CallID)
	}
	return strings.Join(out, " ")
}

func full() Record {
	return Record{
		CallID: "a84b4c76e66710@192.0.2.7", Edge: "edge-1", Tenant: "acme", Method: "INVITE", Platform: "core", Target: "c1",
		Reason: "rule", Arg: 3, Rev: 4128, Epoch: "ab", From: "+13035550100@acme.example", To: "911@acme.example", FromE164: "+13035550100",
		Direction: "outbound", Source: "192.0.2.7:5060", Listener: "out-udp", Start: 1, Ring: 2, Answer: 3, End: 4, Code: 200, HungUp: "caller",
		Cause: "x", PlatformCodes: []int{503, 200}, Query: Query{Direction: "outbound", Unit: "bob", Mirror: 7, Emergency: true, Now: 9},
	}
}

// A record can be found while it waits, when it is on disk, and after a restart; always the same.
func TestFoundAtEveryMoment(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, 1<<20, 10)
	want := full()
	l.Put(&want)
	for _, moment := range []string{"waiting", "on disk", "after a restart"} {
		switch moment {
		case "on disk":
			l.write(nil)
		case "after a restart":
			l.files.close()
			l = open(t, dir, 1<<20, 10)
		}
		if got := l.Find(want.CallID); len(got) != 1 || !reflect.DeepEqual(got[0], want) {
			t.Errorf("%s: %+v", moment, got)
		}
		if got := l.Recent("acme", 5); len(got) != 1 {
			t.Errorf("%s: Recent: %+v", moment, got)
		}
		if got := l.Recent("other", 5); len(got) != 0 {
			t.Errorf("%s: another tenant's: %+v", moment, got)
		}
	}
	if l.Find("nobody") != nil {
		t.Error("found what was never put")
	}
}

func TestOrderAndBounds(t *testing.T) {
	l := open(t, t.TempDir(), 1<<20, 3)
	for i, id := range []string{"a", "b", "a", "c", "d"} {
		l.Put(&Record{CallID: id, Tenant: "acme", Rev: uint64(i)})
		if i == 3 {
			l.write(nil) // d still waits
		}
	}
	if got := ids(l.Recent("", 10)); got != "d c a b" {
		t.Errorf("Recent: %s", got)
	}
	if got := ids(l.Recent("acme", 2)); got != "d c" {
		t.Errorf("Recent 2: %s", got)
	}
	if got := l.Find("a"); len(got) != 1 || got[0].Rev != 2 {
		t.Errorf("the first a is beyond the index: %+v", got)
	}
	l.Put(&Record{CallID: "a", Rev: 9})
	if got := l.Find("a"); len(got) != 2 || got[0].Rev != 2 || got[1].Rev != 9 {
		t.Errorf("oldest first: %+v", got)
	}
	for range 1000 {
		l.Put(&Record{CallID: "z"})
		l.write(nil)
	}
	if l.Len() != 3 || len(l.index.byID) != 1 || len(l.index.entries) != 3 {
		t.Errorf("the index grew: %d, %d ids, %d entries", l.Len(), len(l.index.byID), len(l.index.entries))
	}
	if got := l.Find("z"); len(got) != 3 {
		t.Errorf("%d of z, want 3", len(got))
	}
}

func TestFullQueueDropsTheOldest(t *testing.T) {
	l := open(t, t.TempDir(), 1<<20, 10_000)
	for i := range queueLen + 5 {
		l.Put(&Record{CallID: fmt.Sprint(i)})
	}
	if l.Dropped() != 5 {
		t.Errorf("dropped %d, want 5", l.Dropped())
	}
	l.write(nil)
	if len(l.Find("4")) != 0 || len(l.Find("5")) != 1 || len(l.Find(fmt.Sprint(queueLen+4))) != 1 {
		t.Error("not the oldest went")
	}
}

func TestLongRecordIsDroppedAlone(t *testing.T) {
	l := open(t, t.TempDir(), 1<<20, 10)
	l.Put(&Record{CallID: "a"})
	l.Put(&Record{CallID: "long", From: strings.Repeat("x", maxLine)})
	l.Put(&Record{CallID: "b"})
	l.write(nil)
	if got := ids(l.Recent("", 9)); got != "b a" || l.Dropped() != 1 {
		t.Errorf("%q, dropped %d", got, l.Dropped())
	}
}

// Bytes on disk stay below the limit, however much is put; the newest are kept.
func TestBytesAreBounded(t *testing.T) {
	dir := t.TempDir()
	const limit = 1 << 20
	l := open(t, dir, limit, 100_000)
	pad := strings.Repeat("x", 500)
	for i := range 6000 {
		l.Put(&Record{CallID: fmt.Sprint("call-", i), From: pad})
		if i%97 == 0 {
			l.write(nil)
			if n := onDisk(t, dir); n > limit {
				t.Fatalf("%d bytes after %d records", n, i)
			}
		}
	}
	l.write(nil)
	if len(l.Find("call-5999")) != 1 || len(l.Find("call-0")) != 0 {
		t.Error("the newest must be there and the oldest gone")
	}
	l.files.close()
	again := open(t, dir, limit, 500)
	if again.Len() != 500 || ids(again.Recent("", 2)) != "call-5999 call-5998" {
		t.Errorf("after a restart: %d, %s", again.Len(), ids(again.Recent("", 2)))
	}
}

func onDisk(t *testing.T, dir string) (n int64) {
	t.Helper()
	es, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range es {
		fi, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		n += fi.Size()
	}
	return n
}

// What a crash or a stranger left in the files costs those lines and no others.
func TestTornAndForeignLines(t *testing.T) {
	dir := t.TempDir()
	lines := []string{
		`{"callId":"good-1","edge":"e","method":"INVITE","rev":1,"from":"","to":"","start":0}`,
		`not JSON`,
		``,
		`[]`,
		`{"callId":7,"method":"INVITE"}`,
		`{"callId":"` + strings.Repeat("x", 3*maxLine) + `","method":"INVITE"}`,
		`{"callId":"half","edge":"e","method":"INVITE","rev":`,
		`{"callId":"good-2","edge":"e","tenant":"acme","method":"INVITE","rev":2,"from":"","to":"","start":0}`,
		`{"callId":"torn","edge":"e","method":"INV`,
	}
	name := filepath.Join(dir, "calls-000000000007.jsonl")
	if err := os.WriteFile(name, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(filepath.Join(dir, "calls-x.jsonl"), []byte("mine"), 0o600)
	l := open(t, dir, 1<<20, 100)
	l.Put(&Record{CallID: "new"})
	l.write(nil)
	if got := ids(l.Recent("", 99)); got != "new good-2 good-1" {
		t.Errorf("got %q", got)
	}
	b, _ := os.ReadFile(name)
	if strings.Contains(string(b), "torn") || !strings.HasSuffix(string(b), "\n") {
		t.Errorf("the torn tail is still there")
	}
	if b, err := os.ReadFile(filepath.Join(dir, "calls-x.jsonl")); string(b) != "mine" {
		t.Errorf("a stranger's file was touched: %q, %v", b, err)
	}
}

// Bytes that are no UTF-8 are what a hostile Call-ID may have; the record is found by them before and after a restart.
func TestCallIDThatIsNoUTF8(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, 1<<20, 10)
	id := "a\xff\xfe\nb\"<"
	l.Put(&Record{CallID: id, Method: "INVITE"})
	l.write(nil)
	l.files.close()
	for _, log := range []*Log{l, open(t, dir, 1<<20, 10)} {
		if got := log.Find(id); len(got) != 1 {
			t.Errorf("got %+v", got)
		}
	}
}

// A disk that fails costs records and says so; when it is back, records are kept again.
func TestFailingDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "calls")
	l := open(t, dir, 1<<20, 10)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	l.Put(&Record{CallID: "lost"})
	l.write(nil)
	if l.Dropped() != 1 || l.Failed() != 1 || len(l.Find("lost")) != 0 {
		t.Errorf("dropped %d, failed %d", l.Dropped(), l.Failed())
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l.Put(&Record{CallID: "kept"})
	l.write(nil)
	// A handle that was closed under us is a write error in the middle of a file.
	l.files.cur.Close()
	l.Put(&Record{CallID: "lost-2"})
	l.write(nil)
	l.Put(&Record{CallID: "kept-2"})
	l.write(nil)
	if got := ids(l.Recent("", 9)); got != "kept-2 kept" || l.Dropped() != 2 || l.Failed() != 2 {
		t.Errorf("%q, dropped %d, failed %d", got, l.Dropped(), l.Failed())
	}
}

// Run writes what was put before it ended, and readers may look all the while.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, 1<<20, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 100 {
				id := fmt.Sprint(g, "-", i)
				l.Put(&Record{CallID: id, Tenant: "acme"})
				if got := l.Find(id); len(got) != 1 {
					t.Errorf("%s: %d found", id, len(got))
				}
				l.Recent("acme", 3)
			}
		})
	}
	wg.Wait()
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if again := open(t, dir, 1<<20, 1000); again.Len() != 400 || l.Dropped() != 0 {
		t.Errorf("%d on disk, %d dropped", again.Len(), l.Dropped())
	}
}

func FuzzScan(f *testing.F) {
	b, _ := json.Marshal(full())
	f.Add(append(b, '\n'))
	f.Add([]byte("{\"callId\":\"\\ud800\",\"method\":{}}\n{}\n\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "calls-000000000001.jsonl"), content, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := Open(dir, 1<<20, 8)
		if err != nil {
			t.Fatal(err)
		}
		l.Recent("", 8)
		l.Put(&Record{CallID: "after", Method: "INVITE"})
		l.write(nil)
		l.files.close()
		again, err := Open(dir, 1<<20, 8)
		if err != nil {
			t.Fatal(err)
		}
		if got := again.Find("after"); len(got) != 1 {
			t.Errorf("%d records after a hostile file", len(got))
		}
	})
}
