package location

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

var quiet = slog.New(slog.DiscardHandler)

func onDisk(t testing.TB) Options {
	return Options{Path: filepath.Join(t.TempDir(), "bindings"), Node: "edge-1", Now: func() time.Time { return noon }, Log: quiet}
}

// writeAll lets the writer do its whole work here and now.
func writeAll(t testing.TB, table *Table) {
	t.Helper()
	for {
		if err := table.disk.step(); err != nil {
			t.Fatal(err)
		}
		if len(table.disk.batch) == 0 {
			return
		}
	}
}

func same(t testing.TB, got, want *Table) {
	t.Helper()
	if got.Len() != want.Len() {
		t.Errorf("%d bindings, want %d", got.Len(), want.Len())
	}
	for b := range want.All() {
		if g := got.Get(b.ID); g == nil || *g != *b {
			t.Fatalf("%+v, want %+v", g, b)
		}
	}
}

func TestRestart(t *testing.T) {
	o := onDisk(t)
	table := open(t, o)
	for i := range 2000 {
		table.Put(phone(i))
	}
	for i := range 1000 {
		b := phone(i * 2)
		b.Stamp++
		b.Agent = "Latin \xe9"
		table.Put(b)
		table.Learn(b)
	}
	gone := phone(5000)
	gone.Told, gone.Stamp, gone.Holds = noon.Unix()-91, 1, [2]Hold{}
	table.Put(gone)
	writeAll(t, table)
	table.Sweep(noon)
	table.Close()
	again := open(t, o)
	same(t, again, table)
	if s := again.Stats(); s.LogBad != 0 || s.LogErrors != 0 || s.LogWaiting != 0 || s.LogBytes == 0 || s.LogLive > s.LogBytes {
		t.Errorf("%+v", s)
	}
}

func TestOneWriterOnly(t *testing.T) {
	o := onDisk(t)
	table := open(t, o)
	if _, err := Open(o); !errors.Is(err, errLocked) {
		t.Errorf("a second process writes the same log: %v", err)
	}
	table.Put(phone(1))
	table.disk.rewrite = true
	writeAll(t, table) // by compaction: another file has the name now
	if _, err := Open(o); !errors.Is(err, errLocked) {
		t.Errorf("after a compaction: %v", err)
	}
	table.Close()
	open(t, o)
	o.Path = filepath.Join(o.Path, "x")
	if _, err := Open(o); err == nil {
		t.Error("a path that can not be")
	}
}

// Run writes at once, syncs, and writes the rest when it ends.
func TestRunWrites(t *testing.T) {
	o := onDisk(t)
	var want *Table
	synctest.Test(t, func(t *testing.T) {
		o := o
		o.Now = time.Now
		table, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- table.Run(ctx) }()
		for i := range 3 * batchSize {
			table.Put(phone(i))
		}
		synctest.Wait()
		if b, err := os.ReadFile(o.Path); err != nil || bytes.Count(b, []byte("\n")) < 3*batchSize || int64(len(b)) != table.Stats().LogBytes {
			t.Errorf("%d records in the log, %v", bytes.Count(b, []byte("\n")), err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if table.disk.dirty {
			t.Error("not synced")
		}
		table.Put(phone(9999))
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := table.Close(); err != nil {
			t.Error(err)
		}
		want = table
	})
	same(t, open(t, o), want)
}

// The last records cut at every byte: what was whole is there, what was not is as if it had never been put.
func TestTornTail(t *testing.T) {
	t.Parallel()
	o := onDisk(t)
	o.Limit = 100
	table := open(t, o)
	for i := range 20 {
		table.Put(phone(i))
		writeAll(t, table)
	}
	last := phone(3) // the newest record of an id that has an older one
	last.Stamp++
	table.Put(last)
	writeAll(t, table)
	table.Close()
	whole, err := os.ReadFile(o.Path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(bytes.TrimSuffix(whole, []byte("\n")), []byte("\n"))
	tail := len(bytes.Join(lines[len(lines)-2:], nil)) + 1
	for cut := len(whole) - tail; cut < len(whole); cut += damageStep {
		if err := os.WriteFile(o.Path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		table, err := Open(o)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		left := bytes.Count(whole[:cut], []byte("\n"))
		if table.Len() != min(left, 20) || table.Get(last.ID).Stamp != phone(3).Stamp {
			t.Fatalf("cut at %d: %d bindings of %d lines", cut, table.Len(), left)
		}
		// What is written next can be read.
		table.Put(last)
		table.disk.rewrite = false
		writeAll(t, table)
		table.Close()
		again, err := Open(o)
		if err != nil || again.Get(last.ID) == nil || *again.Get(last.ID) != *last || again.Len() != table.Len() || again.Stats().LogBad != 0 {
			t.Fatalf("cut at %d, written on: %v, %+v", cut, err, again.Stats())
		}
		again.Close()
	}
}

// A byte that changed costs its own record, or the two beside a line end that went.
func TestFlippedBytes(t *testing.T) {
	t.Parallel()
	o := onDisk(t)
	o.Limit = 100
	table := open(t, o)
	for i := range 4 {
		table.Put(phone(i))
	}
	writeAll(t, table)
	table.Close()
	whole, err := os.ReadFile(o.Path)
	if err != nil {
		t.Fatal(err)
	}
	var r rander
	for at := 0; at < len(whole); at += damageStep {
		damaged := slices.Clone(whole)
		damaged[at] ^= byte(1 + r.next()%255)
		if err := os.WriteFile(o.Path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		table, err := Open(o)
		if err != nil {
			t.Fatalf("at %d: %v", at, err)
		}
		lost := 4 - table.Len()
		if lost < 1 && damaged[at]|0x20 != whole[at]|0x20 || lost > 2 || lost == 2 && whole[at] != '\n' {
			t.Fatalf("at %d, %q for %q: %d lost", at, damaged[at], whole[at], lost)
		}
		for b := range table.All() {
			if i := int(b.ID[7]); *b != *phone(i) {
				t.Fatalf("at %d: %+v", at, b)
			}
		}
		if lost > 0 && table.Stats().LogBad == 0 {
			t.Fatalf("at %d: not counted", at)
		}
		table.Close()
	}
}

type rander uint32

func (r *rander) next() uint32 { *r = *r*1664525 + 1013904223; return uint32(*r >> 8) }

// Lines of any length, and of somebody else, are passed over; the log is clean after the next start.
func TestForeignLines(t *testing.T) {
	o := onDisk(t)
	table := open(t, o)
	table.Put(phone(1))
	writeAll(t, table)
	table.Close()
	good, _ := os.ReadFile(o.Path)
	line := func(json string) string {
		return fmt.Sprintf("%08x %s\n", crc32.Checksum([]byte(json), castagnoli), json)
	}
	bad := []string{
		strings.Repeat("x", 1<<20) + "\n", "\x00\x00\n", "hello\n",
		line(`{"id":"0123456789abcdef"}`),   // whole, and no binding
		line(`{"aor":"anna@acme.example"}`), // no id where it belongs
		line(`{"id":"` + strings.Repeat("0", MaxRecord) + `"}`),
	}
	all := strings.Join(bad, "") + string(good) + "\n" + strings.Repeat("torn", 100_000)
	if err := os.WriteFile(o.Path, []byte(all), 0o600); err != nil {
		t.Fatal(err)
	}
	table = open(t, o)
	if table.Len() != 1 || *table.Get(phone(1).ID) != *phone(1) {
		t.Errorf("%d bindings", table.Len())
	}
	if n := table.Stats().LogBad; n != uint64(len(bad)+1) {
		t.Errorf("%d bad lines, want %d", n, len(bad)+1)
	}
	writeAll(t, table)
	if b, _ := os.ReadFile(o.Path); !bytes.Equal(b, good) {
		t.Errorf("the log holds %d bytes, want %d", len(b), len(good))
	}
}

// More in the log than the table may hold.
func TestLogOfALargerTable(t *testing.T) {
	o := onDisk(t)
	table := open(t, o)
	for i := range 500 {
		table.Put(phone(i))
	}
	writeAll(t, table)
	table.Close()
	o.Limit = 100
	small := open(t, o)
	if s := small.Stats(); s.Bindings != 100 || s.Full+s.LogBad != 400 {
		t.Errorf("%+v", s)
	}
}

// However often phones refresh, the log keeps within twice what lives and a megabyte.
func TestLogIsBounded(t *testing.T) {
	o := onDisk(t)
	table := open(t, o)
	const n = 300
	for round := range 60 {
		for i := range n {
			b := phone(i)
			b.Stamp += int64(round)
			table.Put(b)
		}
		writeAll(t, table)
		s := table.Stats()
		if fi, err := os.Stat(o.Path); err != nil || fi.Size() != s.LogBytes {
			t.Fatalf("%v, %+v", err, s)
		}
		if s.LogBytes > 2*s.LogLive+logRoom+batchSize*1500 {
			t.Fatalf("round %d: %d bytes, %d count", round, s.LogBytes, s.LogLive)
		}
	}
	if n := table.Stats().Compactions; n < 5 {
		t.Errorf("%d compactions", n)
	}
	// Everybody leaves: what counts goes to nothing.
	table.Sweep(noon.Add(100 * time.Hour))
	if n := table.disk.live.Load(); n != 0 {
		t.Errorf("%d bytes count of nothing", n)
	}
	table.Close()
	if _, err := os.Stat(o.Path + ".tmp"); !errors.Is(err, os.ErrNotExist) {
		t.Error("a temporary file stays")
	}
}

func TestDiskFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onDisk(t)
		o.Now = time.Now
		var said bytes.Buffer
		o.Log = slog.New(slog.NewTextHandler(&said, nil))
		// A line that can not be read calls for a compaction, which will fail too.
		if err := os.WriteFile(o.Path, []byte("hello\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		table, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		var full atomic.Bool
		full.Store(true)
		table.disk.os = system{
			write: func(f *os.File, b []byte) (int, error) {
				if !full.Load() {
					return f.Write(b)
				}
				n, _ := f.Write(b[:len(b)/2]) // as a disk does: as much as there is room for
				return n, syscall.ENOSPC
			},
			create: realSystem.create,
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- table.Run(ctx) }()
		put := func(from, to int) {
			for i := from; i < to; i++ {
				b := phone(i)
				b.Told = time.Now().Unix() + 3600
				b.Stamp = time.Now().UnixMicro()
				table.Put(b)
			}
			synctest.Wait()
		}
		put(0, 100)
		put(100, 200)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if s := table.Stats(); !s.LogFailing || s.LogErrors < 5 || s.LogErrors > 8 || s.Bindings != 200 || s.LogWaiting != 200 {
			t.Errorf("%+v", s)
		}
		if _, err := os.Stat(o.Path + ".tmp"); !errors.Is(err, os.ErrNotExist) {
			t.Error("a failed compaction leaves its file on a full disk")
		}
		if b, err := os.ReadFile(o.Path); string(b) != "hello\n" {
			t.Errorf("half a record takes room on a full disk: %d bytes, %v", len(b), err)
		}
		full.Store(false)
		put(200, 300)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if s := table.Stats(); s.LogFailing || s.LogWaiting != 0 || s.Compactions != 1 {
			t.Errorf("%+v", s)
		}
		if n := strings.Count(said.String(), "level=ERROR"); n != 2 {
			t.Errorf("said %d times, want once of the write and once of the compaction:\n%s", n, said.String())
		}
		cancel()
		<-done
		again, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		same(t, again, table)
		if n := again.Stats().LogBad; n != 0 {
			t.Errorf("%d bad lines", n)
		}
	})
}

// A log that can be appended to and not be compacted ends at a bound, and recovers.
func TestCompactionImpossible(t *testing.T) {
	o := onDisk(t)
	table := open(t, o)
	now := noon
	table.now = func() time.Time { return now }
	table.disk.os.create = func(string) (*os.File, error) { return nil, syscall.EACCES }
	table.Put(phone(1))
	writeAll(t, table)
	table.disk.size += 2 * logRoom
	b := phone(1)
	b.Stamp++
	table.Put(b)
	if err := table.disk.step(); err != nil || !table.Stats().LogFailing || table.Stats().LogErrors != 1 {
		t.Errorf("%v, %+v", err, table.Stats())
	}
	table.disk.size += logBound
	table.Put(phone(2))
	if err := table.disk.step(); err == nil {
		t.Error("it grows on")
	}
	if n, _ := table.disk.feed.waiting(); n != 1 {
		t.Errorf("%d are owed", n)
	}
	table.disk.os = realSystem
	now = now.Add(compactAgain)
	writeAll(t, table)
	if s := table.Stats(); s.LogFailing || s.LogBytes > 4096 {
		t.Errorf("%+v", s)
	}
	table.Close()
	same(t, open(t, o), table)
}

// act is the process that TestKill kills: it writes rounds of news and says which it has written.
func act() bool {
	path := os.Getenv("LOCATION_TEST_LOG")
	if path == "" {
		return false
	}
	table, err := Open(Options{Path: path, Log: quiet})
	for round := 0; err == nil; round++ {
		for i := range 2000 {
			b := phone(i)
			b.Stamp += int64(round)
			table.Put(b)
		}
		for err = table.disk.step(); err == nil && len(table.disk.batch) > 0; {
			err = table.disk.step()
		}
		if err == nil {
			_, err = fmt.Println(round)
		}
	}
	fmt.Println(err)
	return true
}

// kill -9 in mid-write and mid-compaction, again and again: what was written is there.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bindings")
	for run := range 4 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "LOCATION_TEST_LOG="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(out)
		last := -1
		for range 3 + run {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatalf("%q, %v", line, err)
			}
			if _, err := fmt.Sscan(line, &last); err != nil {
				t.Fatal(line)
			}
		}
		cmd.Process.Kill()
		io.Copy(io.Discard, lines)
		cmd.Wait()
		table, err := Open(Options{Path: path, Log: quiet, Now: func() time.Time { return noon }})
		if err != nil {
			t.Fatal(err)
		}
		if table.Len() != 2000 || table.Stats().LogBad > 1 {
			t.Errorf("run %d: %+v", run, table.Stats())
		}
		for i := range 2000 {
			if b := table.Get(phone(i).ID); b == nil || b.Stamp < noon.UnixMicro()+int64(last) {
				t.Fatalf("run %d, phone %d: %+v, round %d was written", run, i, b, last)
			}
		}
		table.Close()
	}
}

func TestOpenIsFast(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 100,000 bindings twice")
	}
	o := onDisk(t)
	table := open(t, o)
	for range 2 {
		for i := range openSize {
			b := phone(i)
			if old := table.Get(b.ID); old != nil {
				b.Stamp = old.Stamp + 1
			}
			table.Put(b)
		}
		writeAll(t, table)
	}
	table.Close()
	begin, used := time.Now(), cpu(t)
	again := open(t, o)
	used = cpu(t) - used
	t.Logf("%d bindings of %d bytes in %v, %v of processor", again.Len(), again.Stats().LogBytes, time.Since(begin), used)
	if again.Len() != openSize || used > limitOfOpen {
		t.Errorf("%d bindings in %v of processor, at most %v", again.Len(), used, limitOfOpen)
	}
}

// cpu is the processor time of this process, which does not depend on what else runs on the machine.
func cpu(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// What a failed write left and could not be cut off is passed over, and no later failure cuts into what is whole.
func TestTornAndNotCut(t *testing.T) {
	o := onDisk(t)
	table := open(t, o)
	table.Put(phone(1))
	writeAll(t, table)
	log := table.disk.f
	fail := func(f *os.File, b []byte) (int, error) {
		n, _ := log.Write(b[:len(b)/2])
		return n, syscall.EIO
	}
	// A file that can not be truncated: it is open for reading only.
	readOnly, err := os.Open(o.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer readOnly.Close()
	table.Put(phone(2))
	table.disk.f, table.disk.os.write = readOnly, fail
	if err := table.disk.step(); err == nil || !table.disk.torn {
		t.Fatalf("%v, torn %v", err, table.disk.torn)
	}
	table.disk.f, table.disk.os.write = log, realSystem.write
	writeAll(t, table)
	table.Put(phone(3))
	table.disk.os.write = fail
	if err := table.disk.step(); err == nil {
		t.Fatal("no error")
	}
	table.disk.os.write = realSystem.write
	writeAll(t, table)
	if fi, err := os.Stat(o.Path); err != nil || fi.Size() != table.disk.size {
		t.Errorf("%v bytes, %v, believed %d", fi.Size(), err, table.disk.size)
	}
	table.Close()
	again := open(t, o)
	same(t, again, table)
	if n := again.Stats().LogBad; n != 1 {
		t.Errorf("%d bad lines", n)
	}
}
