package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/hotcut/hotcut/migration/shadow/compare"
	"github.com/hotcut/hotcut/migration/shadow/record"
)

var testKey = []byte("key of the tests")

// corpus are the exchanges that migration/shadow/record is tested with, and what of them may be kept nowhere.
func corpus(t *testing.T) (all []*record.Exchange, secrets []string) {
	t.Helper()
	files, err := filepath.Glob("../record/testdata/exchange/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(a.Comment)) {
			if s, ok := strings.CutPrefix(strings.TrimSpace(line), "secret: "); ok {
				secrets = append(secrets, s)
			}
		}
		x := &record.Exchange{Tenant: "acme", CallID: "live-call-id@198.51.100.77"}
		far := make(map[string]int)
		for _, f := range a.Files {
			words := strings.Fields(f.Name)
			if words[0] == "want" {
				continue
			}
			l := &x.Near
			if words[0] != "near" {
				if _, known := far[words[0]]; !known {
					far[words[0]] = len(x.Far)
					x.Far = append(x.Far, record.Leg{Party: "phone"})
				}
				l = &x.Far[far[words[0]]]
			}
			at, err := time.ParseDuration(words[1])
			if err != nil {
				t.Fatal(err)
			}
			raw := bytes.ReplaceAll(f.Data, []byte("\n"), []byte("\r\n"))
			if !bytes.Contains(raw, []byte("\r\n\r\n")) {
				raw = append(raw, "\r\n"...)
			}
			for _, w := range words[3:] {
				if target, ok := strings.CutPrefix(w, "target="); ok {
					l.Target = target
				}
			}
			l.Messages = append(l.Messages, record.Message{At: startTime.UnixNano() + int64(at), Upstream: words[2] == "up", Raw: raw})
		}
		secrets = append(secrets, x.CallID)
		all = append(all, x)
	}
	return all, secrets
}

func redactor(tenant string) *record.Redactor { return record.NewRedactor(testKey, tenant, "49") }

func keeper(t *testing.T, o KeeperOptions) *Keeper {
	t.Helper()
	o.Edge, o.Boot, o.Redactor = "e1", "boot", redactor
	k, err := NewKeeper(o)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// run runs the keeper until the test says so.
func run(k *Keeper) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { k.Run(ctx) })
	return func() { cancel(); wg.Wait() }
}

// No number, name, host, key or credential of the corpus is in anything that is stored, in Redis or on the disk.
func TestNothingUnredactedIsStored(t *testing.T) {
	m := miniredis.RunT(t)
	dir := t.TempDir()
	redis, err := OpenRedis("redis://"+m.Addr()+"/0?ns=test", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer redis.Close()
	files, err := OpenFiles(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	exchanges, secrets := corpus(t)
	if len(secrets) < 20 {
		t.Fatalf("%d secrets: the corpus can not be what this test needs", len(secrets))
	}
	r := redactor("acme")
	for _, s := range []Store{redis, files} {
		disk, err := OpenExchanges(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		// The exchanges have the age of the corpus, so nothing may expire by it.
		k := keeper(t, KeeperOptions{Store: s, Exchanges: disk, Retention: 100 * 365 * 24 * time.Hour, Fault: func(err error) { t.Error(err) }})
		// Each with each: what is compared differs in every way that there is, and details say in which.
		n := 0
		for i, live := range exchanges {
			for j, shadow := range exchanges {
				x := *live
				x.CallID = fmt.Sprint("secret-call-", i, "-", j)
				v := compare.Judge(record.Of(&x, nil, r), record.Of(shadow, nil, r), compare.Rules)
				k.Put(v, &x, shadow)
				n++
			}
		}
		stop := run(k)
		stop()
		if got := k.Stats(); got.Kept != uint64(n) || got.Failing != "" {
			t.Errorf("%+v, want %d kept", got, n)
		}
		sum, damage, err := s.Read(t.Context(), "acme")
		if err != nil || len(damage) > 0 || sampled(sum, "acme") != uint64(n) || len(sum.Tenants["acme"].Clusters) < 5 {
			t.Fatalf("%v %q: %d calls", err, damage, sampled(sum, "acme"))
		}
	}
	all := dumpMini(t, m)
	maps.Copy(all, dumpFiles(t, dir))
	if len(m.Keys()) < 10 || len(all) < len(m.Keys())+3 {
		t.Fatalf("%d things are stored: the test looks in the wrong place", len(all))
	}
	secrets = append(secrets, "secret-call-")
	for i, s := range secrets {
		secrets[i] = strings.ToLower(s)
	}
	for _, x := range exchanges {
		if betrayed(string(x.Near.Messages[0].Raw), secrets) == "" {
			t.Fatalf("this test would not see %s", x.Near.Messages[0].Raw)
		}
	}
	found := 0
	for name, content := range all {
		if hit := betrayed(stamps.ReplaceAllString(content+"\n"+filepath.Base(name), ""), secrets); hit != "" {
			t.Errorf("%q is in %s", hit, name)
		}
		if strings.Contains(content, "SIP/2.0 ") {
			found++
		}
	}
	if found < 3 {
		t.Errorf("messages in %d places: nothing was there to be redacted", found)
	}
}

// stamps are the times of the day on which the test runs: the name of a file of exchanges, the score of a member. Their digits
// are some short secret's on certain days, and by chance on every other.
var stamps = regexp.MustCompile(`(?m)^[0-9]{13}\.jsonl$|:[0-9]\.[0-9]+e\+12\b`)

// betrayed is the first secret, in lower case, that a text holds. A name is a whole word ("erna" is also a part of
// "internal"); a number or a key may hide in a longer one.
func betrayed(text string, secrets []string) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz"
	text = strings.ToLower(text)
	for _, s := range secrets {
		word := strings.Trim(s, alphabet) == ""
		for rest := text; ; {
			i := strings.Index(rest, s)
			if i < 0 {
				break
			}
			before, after := rest[:i], rest[i+len(s):]
			if !word || strings.TrimRight(before, alphabet) == before && strings.TrimLeft(after, alphabet) == after {
				return s
			}
			rest = rest[i+1:]
		}
	}
	return ""
}

// stuck is a store that does not answer until it is let go.
type stuck struct {
	Store
	hold chan struct{}
	err  error
}

func (s *stuck) Write(ctx context.Context, b *Batch) error {
	select {
	case <-s.hold:
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.err != nil {
		return s.err
	}
	return s.Store.Write(ctx, b)
}

// A store that hangs holds nobody up: calls are counted, the queue is bounded, what does not fit is counted by reason,
// and everything is written when it is back.
func TestAStoreThatHangsHoldsNobodyUp(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		files, err := OpenFiles(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		s := &stuck{Store: files, hold: make(chan struct{})}
		k := keeper(t, KeeperOptions{Store: s, QueueBytes: 100 << 10})
		// Nobody runs yet: the queue fills and drops.
		x := &record.Exchange{Near: record.Leg{Messages: []record.Message{{Raw: make([]byte, 8<<10)}}}}
		for i := range 100 {
			k.Put(verdict("acme", fmt.Sprint("c~", i), time.Now(), compare.None), x, nil)
		}
		waiting, dropped := k.Stats().Waiting, k.Stats().Dropped
		if waiting == 0 || waiting > 20 || int(dropped) != 100-waiting {
			t.Errorf("%d wait, %d dropped", waiting, dropped)
		}
		stop := run(k)
		for i := range 500 {
			k.Put(verdict("acme", fmt.Sprint("d~", i), time.Now(), compare.None), nil, nil)
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		if got := k.Stats(); got.Kept != uint64(waiting+500) || got.Waiting != 0 {
			t.Errorf("%+v", got)
		}
		close(s.hold)
		time.Sleep(time.Minute)
		stop()
		sum, _, err := files.Read(t.Context(), "acme")
		if err != nil || sampled(sum, "acme") != uint64(waiting+500) {
			t.Errorf("%v: %d calls", err, sampled(sum, "acme"))
		}
		if n := sum.Tenants["acme"].Dropped[DropQueue]; n != dropped {
			t.Errorf("%d dropped, want %d", n, dropped)
		}
	})
}

func TestWhatAStoreRefusesIsWrittenLater(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		files, err := OpenFiles(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		open := make(chan struct{})
		close(open)
		s := &stuck{Store: files, hold: open, err: errors.New("no space")}
		var faults []error
		k := keeper(t, KeeperOptions{Store: s, Fault: func(err error) { faults = append(faults, err) }})
		stop := run(k)
		k.Put(verdict("acme", "c~a", time.Now(), compare.Major), nil, nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		if k.Stats().Failing != "no space" || len(faults) != 1 {
			t.Errorf("%+v, told %d times", k.Stats(), len(faults))
		}
		stop()
		s.err = nil
		stop = run(k)
		time.Sleep(time.Minute)
		stop()
		if sum, _, err := files.Read(t.Context(), "acme"); err != nil || sampled(sum, "acme") != 1 || k.Stats().Failing != "" {
			t.Errorf("%v, %d calls, %+v", err, sampled(sum, "acme"), k.Stats())
		}
	})
}

// A purge reaches a running edge: its memory, its disk and what it wrote; what comes afterwards is counted anew.
func TestPurgeReachesARunningEdge(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		files, err := OpenFiles(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		disk, err := OpenExchanges(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		k := keeper(t, KeeperOptions{Store: files, Exchanges: disk})
		stop := run(k)
		x := &record.Exchange{Tenant: "acme"}
		for _, tenant := range []string{"acme", "globex"} {
			k.Put(verdict(tenant, "c~a", time.Now(), compare.Major), &record.Exchange{Tenant: tenant}, nil)
		}
		time.Sleep(61 * time.Second) // and not when the keeper looks
		if _, err := files.Find(t.Context(), "acme", "c~a"); err != nil {
			t.Fatal(err)
		}
		if err := files.Purge(t.Context(), "acme"); err != nil {
			t.Fatal(err)
		}
		// A call whose verdict was on its way when the purge was asked for.
		k.Put(verdict("acme", "c~b", time.Now(), compare.Major), x, nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		for name, content := range dumpFiles(t, dir) {
			if strings.Contains(name+content, "acme") && strings.Contains(name, "shadow") && !isEmptyFolder(name) {
				t.Errorf("%s is left: %s", name, content)
			}
		}
		k.Put(verdict("acme", "c~c", time.Now(), compare.Major), x, nil)
		time.Sleep(time.Minute)
		stop()
		sum, _, err := files.Read(t.Context(), "")
		if err != nil || sampled(sum, "acme") != 1 || sampled(sum, "globex") != 1 {
			t.Errorf("%v: acme %d, globex %d", err, sampled(sum, "acme"), sampled(sum, "globex"))
		}
		if _, err := files.Find(t.Context(), "acme", "c~c"); err != nil {
			t.Errorf("what came after the purge: %v", err)
		}
	})
}

// A waiver that somebody sets starts a new count on the edge without a restart.
func TestTriageReachesARunningEdge(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		files, err := OpenFiles(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		k := keeper(t, KeeperOptions{Store: files})
		stop := run(k)
		put := func(token string) *compare.Verdict {
			v := verdict("acme", token, time.Now(), compare.Critical)
			k.Put(v, nil, nil)
			time.Sleep(time.Minute)
			return v
		}
		v := put("c~a")
		id := v.Differences[0].Key(v.Scenario).ID()
		err = files.SetTriage(t.Context(), "acme", id, compare.Triage{
			State: compare.StateIntended, By: "ops", Reason: "wanted", At: time.Now().UnixNano(), Until: time.Now().Add(time.Hour).UnixNano(),
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		put("c~b")
		time.Sleep(2 * time.Hour) // the waiver ends
		put("c~c")
		stop()
		sum, _, err := files.Read(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, n := range sum.Tenants["acme"].Counts {
			got = append(got, fmt.Sprintf("n %d critical %d exempt %d", n.N, n.Worst[compare.Critical], n.Exempt))
		}
		slices.Sort(got)
		if want := []string{"n 0 critical 0 exempt 1", "n 2 critical 2 exempt 0"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

func TestAKeeperNeedsItsParts(t *testing.T) {
	files, err := OpenFiles(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []KeeperOptions{
		{Edge: "e", Boot: "b", Redactor: redactor}, {Edge: "e", Boot: "b", Store: files}, {Store: files, Redactor: redactor},
	} {
		if _, err := NewKeeper(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}
