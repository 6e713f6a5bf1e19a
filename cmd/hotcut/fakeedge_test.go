package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/admin"
)

// said is what an edge without SIP says of phones, by a file of the script. What the file leaves out, the edge does
// not serve.
type said struct {
	Registrations *[]admin.Registration        `json:"registrations"`
	Summary       *admin.RegistrationSummaries `json:"summary"`
	Doctor        *admin.DoctorReport          `json:"doctor"`
}

// fakeEdge puts an edge on the roster that applies every change at once and says what NAME.json holds, or, from rev R on,
// NAME@R.json: fakeedge NAME
func fakeEdge(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: fakeedge NAME")
	}
	name, dir, w := args[0], ts.MkAbs("."), worldOf(ts)
	store, err := openStore(ts.Getenv("HOTCUT_STORE"))
	ts.Check(err)
	socket := filepath.Join(dir, name+".sock")
	n := policy.NodeState{Edge: name, Boot: "b", Build: "test", Schemas: []int{policy.Schema}, State: policy.Live, Admin: "unix://" + socket}
	state := func() policy.NodeState {
		s := n
		if head, err := store.Head(w.life); err == nil {
			s.Epoch, s.Rev, s.Chain = head.Epoch, head.Rev, head.Chain
		}
		return s
	}
	reported := state() // once and for all: what an edge runs later is asked of itself
	ts.Check(store.Report(w.life, reported))
	now := func() said { return readSaid(dir, name, state().Rev) }
	server, err := admin.New(admin.Listen{Socket: socket}, admin.Backend{
		State:    func() admin.State { return admin.State{NodeState: state()} },
		Draining: func(string) []admin.Draining { return nil },
		Registrations: func(tenant string, limit int) (out []admin.Registration) {
			if s := now(); s.Registrations != nil {
				for _, r := range *s.Registrations {
					if r.Tenant == tenant && len(out) < limit {
						out = append(out, r)
					}
				}
			}
			return out
		},
		RegistrationSummary: func(tenant string) (out admin.RegistrationSummaries) {
			if s := now(); s.Summary != nil {
				out = *s.Summary
				out.Rows = nil
				for _, r := range s.Summary.Rows {
					if tenant == "" || r.Tenant == tenant {
						out.Rows = append(out.Rows, r)
					}
				}
			}
			out.Edge = name
			return out
		},
		Doctor: func(_ context.Context, q admin.DoctorRequest) (admin.DoctorReport, error) {
			s := now()
			if s.Doctor == nil {
				return admin.DoctorReport{}, &admin.Error{Status: http.StatusNotImplemented, Code: admin.CodeNotServed, Message: "this edge does not probe"}
			}
			out := *s.Doctor
			out.Findings = nil
			for _, f := range s.Doctor.Findings {
				if (q.Platform == "" || f.Platform == q.Platform) && (q.Target == "" || f.Target == q.Target) && (q.Write || f.Check != "two_call_ids") {
					out.Findings = append(out.Findings, f)
				}
			}
			return out, nil
		},
	}, slog.New(slog.DiscardHandler))
	ts.Check(err)
	w.running.Go(func() {
		ctx, over := context.WithCancel(w.life)
		var again sync.WaitGroup
		again.Go(func() { // it is seen, however slow the machine is
			tick := time.NewTicker(time.Second)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					_ = store.Report(ctx, reported)
				}
			}
		})
		_ = server.Run(w.life) // what it could not do the script sees
		over()
		again.Wait()
		_ = store.Close()
	})
}

// readSaid reads the file of the highest rev that is not above the head's.
func readSaid(dir, name string, rev uint64) (s said) {
	best, from := filepath.Join(dir, name+".json"), uint64(0)
	later, _ := filepath.Glob(filepath.Join(dir, name+"@*.json"))
	for _, file := range later {
		r, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), name+"@"), ".json"), 10, 64)
		if err == nil && r <= rev && r >= from {
			best, from = file, r
		}
	}
	b, err := os.ReadFile(best)
	if errors.Is(err, os.ErrNotExist) {
		return s
	}
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		panic(fmt.Sprintf("%s: %v", best, err))
	}
	return s
}
