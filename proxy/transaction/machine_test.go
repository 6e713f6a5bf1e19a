package transaction

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite testdata/*.txtar from what the machines do")

// epoch is when every trace starts; traces show time since then.
const epoch = Time(1_700_000_000_000_000_000)

// A trace file is one kind of machine. Each section is one life: its first line
// starts the machine, the others are events. Left of the bar is what happens,
// right of it what the machine says:
//
//	+1.5s  TimerFired  |  resend  Calling  next +3.5s
func TestTraces(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no traces: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for i := range ar.Files {
				f := &ar.Files[i]
				got, _ := replay(t, f.Name, string(f.Data))
				if *update {
					f.Data = []byte(got)
				} else if got != string(f.Data) {
					t.Errorf("%s:\ngot\n%s\nwant\n%s", f.Name, got, f.Data)
				}
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// row is a line of the machines' table.
type row struct {
	kind  Kind
	state State
	event Event
}

// TestTracesCoverEveryRow holds that no (kind, state, event) is without a trace.
func TestTracesCoverEveryRow(t *testing.T) {
	seen := map[row]bool{}
	files, _ := filepath.Glob("testdata/*.txtar")
	for _, file := range files {
		ar, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range ar.Files {
			_, rows := replay(t, f.Name, string(f.Data))
			for _, r := range rows {
				seen[r] = true
			}
		}
	}
	server := []Event{Retransmission, Ack, Send1xx, Send2xx, SendFinal, TransportError, TimerFired}
	client := []Event{Recv100, Recv1xx, Recv2xx, RecvFinal, SendCancel, TransportError, TimerFired}
	for _, k := range []struct {
		kind   Kind
		states []State
		events []Event
	}{
		{InviteServer, []State{Proceeding, Completed, Confirmed, Accepted, Terminated}, server},
		{Server, []State{Trying, Proceeding, Completed, Terminated}, server},
		{InviteClient, []State{Calling, Proceeding, Completed, Accepted, Terminated}, client},
		{Client, []State{Trying, Proceeding, Completed, Terminated}, client},
	} {
		for _, s := range k.states {
			for _, e := range k.events {
				if !seen[row{k.kind, s, e}] {
					t.Errorf("no trace has %v %v %v", k.kind, s, e)
				}
			}
		}
	}
}

// replay runs one section and returns it with the right side as it is now.
func replay(t *testing.T, section, in string) (string, []row) {
	t.Helper()
	timers := DefaultTimers()
	var m Machine
	var out bytes.Buffer
	var rows []row
	for line := range strings.Lines(in) {
		left, _, _ := strings.Cut(strings.TrimRight(line, "\n"), "|")
		words := strings.Fields(left)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			out.WriteString(line)
			continue
		}
		if len(words) < 2 {
			t.Fatalf("%s: %q: want a time and an event", section, line)
		}
		d, err := time.ParseDuration(words[0])
		if err != nil {
			t.Fatalf("%s: %q: %v", section, line, err)
		}
		now := epoch.Add(d)
		var do Do
		if k := parse(kindNames[:], words[1]); k > 0 {
			reliable := false
			for _, w := range words[2:] {
				f, v, _ := strings.Cut(w, "=")
				switch f {
				case "reliable":
					reliable = true
				case "B":
					if timers.B, err = time.ParseDuration(v); err != nil {
						t.Fatal(err)
					}
				case "C":
					if timers.C, err = time.ParseDuration(v); err != nil {
						t.Fatal(err)
					}
				default:
					t.Fatalf("%s: unknown word %q", section, w)
				}
			}
			do = m.Init(Kind(k), reliable, &timers, now)
		} else if e := parse(eventNames[:], words[1]); e > 0 {
			rows = append(rows, row{m.Kind(), m.State(), Event(e)})
			do = m.Step(Event(e), now)
		} else {
			t.Fatalf("%s: %q is neither a kind nor an event", section, words[1])
		}
		next := ""
		if n := m.Next(); n != 0 {
			next = fmt.Sprintf("next +%v", n.Sub(epoch))
		}
		s := fmt.Sprintf("%-9s %-28s| %-14s %-11s %s", words[0], strings.Join(words[1:], " "), do, m.State(), next)
		fmt.Fprintln(&out, strings.TrimRight(s, " "))
	}
	return out.String(), rows
}

func parse(names []string, s string) int {
	for i, n := range names {
		if n == s {
			return i
		}
	}
	return 0
}

func TestMachineIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(Machine{}); n > 64 {
		t.Errorf("a Machine has %d bytes, 64 are promised", n)
	}
}

func TestZeroMachineDoesNothing(t *testing.T) {
	var m Machine
	for e := range Event(len(eventNames)) {
		if do := m.Step(e, epoch); do != 0 || m != (Machine{}) {
			t.Errorf("%v: %v", e, do)
		}
	}
	if m.Init(0, false, nil, epoch) != 0 || m.Next() != 0 {
		t.Error("a machine of no kind has started")
	}
}
