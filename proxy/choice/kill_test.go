package choice

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

const killDir = "HOTCUT_TEST_CHOICE_DIR"

// TestMain turns the test binary into the process that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv(killDir); dir != "" {
		if err := writeUntilKilled(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

const (
	killSlots   = 1 << 14 // so many that no set is full: none is lost by eviction
	killWriters = 4
	killRange   = 300 // keys of a writer that are updated over and over
)

// writeUntilKilled updates choices and dialogs from several goroutines, which tell
// on stdout what was stored: writer and round.
func writeUntilKilled(dir string) error {
	r, err := Open(filepath.Join(dir, "ring"), killSlots)
	if err != nil {
		return err
	}
	d, err := OpenDialogs(filepath.Join(dir, "dialogs"), killSlots)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	for w := range uint64(killWriters) {
		wg.Go(func() {
			for round := uint64(1); ; round++ {
				for n := range uint64(killRange) {
					k := w*killRange + n
					r.Put(killChoice(k, round))
					r.Mark(keyOf(k), round%2 == 0, false)
					d.Put(killDialog(k, round))
					d.Touch(keyOf(k), epoch+int64(round))
				}
				if _, err := fmt.Printf("%d %d\n", w, round); err != nil {
					failed.Store(&err)
					return
				}
			}
		})
	}
	wg.Wait()
	return *failed.Load()
}

// killChoice and killDialog derive every field from key and round, so that a mix
// of two rounds shows.
func killChoice(n, round uint64) Choice {
	return Choice{Key: keyOf(n), Platform: uint8(round), Target: round * 3, Rev: round * 5, Listener: uint16(round * 7), At: epoch + int64(round)}
}

func killDialog(n, round uint64) Dialog {
	return Dialog{Key: keyOf(n), CallID: fmt.Sprintf("%d-%s", round, strings.Repeat("c", int(round%80))), Tenant: fmt.Sprint("t", round),
		Platform: uint8(round), Target: round * 3, Rev: round * 5, Since: int64(round) * 11, Seen: epoch + int64(round)}
}

// TestKill kills the writer with SIGKILL again and again. What it said it had
// stored is there, from that round or a later one, and every entry is whole.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	for life := range 8 {
		stored := runAndKill(t, dir, 20+life*7)

		r := open(t, filepath.Join(dir, "ring"), killSlots)
		d := openDialogs(t, filepath.Join(dir, "dialogs"), killSlots)
		dialogs := all(t, d)
		for n := range uint64(killWriters * killRange) {
			least := stored[n/killRange]
			c, ok := r.Get(keyOf(n), epoch)
			if !ok {
				t.Fatalf("life %d: choice %d is lost; round %d was stored", life, n, least)
			}
			ringing := c.Ringing
			c.Ringing = false
			round := c.Target / 3
			if c != killChoice(n, round) || ringing && round%2 != 0 {
				t.Errorf("life %d: torn choice %+v", life, c)
			}
			if round < least {
				t.Errorf("life %d: choice %d of round %d, but %d was stored", life, n, round, least)
			}
			g, ok := dialogs[keyOf(n)]
			if !ok {
				t.Fatalf("life %d: dialog %d is lost", life, n)
			}
			if round := g.Target / 3; g != killDialog(n, round) || round < least {
				t.Errorf("life %d: torn or old dialog %+v, %d was stored", life, g, least)
			}
		}
		if d.Len() != killWriters*killRange {
			t.Errorf("life %d: %d dialogs", life, d.Len())
		}
		r.Close()
		d.Close()
	}
}

// runAndKill starts a writer, kills it after it has said lines times that a round
// is stored, and returns the last such round of each goroutine.
func runAndKill(t *testing.T, dir string, lines int) (stored [killWriters]uint64) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(out)
	killed := false
	for said := 0; ; said++ {
		line, err := in.ReadString('\n')
		if err != nil {
			break
		}
		w, round, _ := strings.Cut(strings.TrimSpace(line), " ")
		i, err1 := strconv.Atoi(w)
		n, err2 := strconv.ParseUint(round, 10, 64)
		if err1 != nil || err2 != nil || i >= killWriters {
			t.Fatalf("the writer said %q", line)
		}
		stored[i] = n
		if said >= lines && !killed && !slices.Contains(stored[:], 0) { // on a busy machine a writer may not have begun
			// Lines that it still writes count too: they are read to the end.
			killed = true
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	io.Copy(io.Discard, in)
	if err := cmd.Wait(); err == nil || cmd.ProcessState.Exited() {
		t.Fatalf("the writer was not killed: %v", err)
	}
	return stored
}
