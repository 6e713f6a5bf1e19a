package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hotcut/hotcut/policy"
)

func TestWatchLooksAgainUntilInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out, errs bytes.Buffer
		a := newApp(nil, nil, &out, &errs, time.Now)
		a.conf.Output = "table"
		ctx, cancel := context.WithCancel(t.Context())
		looks, began := 0, time.Now()
		w := watchFlags{watch: true}
		err := w.loop(ctx, a, func(context.Context) error {
			if looks++; looks == 3 {
				cancel()
			}
			if looks == 2 { // a store that is gone for a moment does not end the watch
				return fmt.Errorf("gone: %w", policy.ErrUnreachable)
			}
			return a.show(result{kind: "Look", table: func(w io.Writer) { fmt.Fprintf(w, "look %d\n", looks) }})
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != "look 1\nlook 3\n" {
			t.Errorf("stdout %q", got)
		}
		if !strings.Contains(errs.String(), "gone: the store is unreachable") {
			t.Errorf("stderr %q does not say that the store was gone", errs.String())
		}
		if d := time.Since(began); d != 2*watchPace {
			t.Errorf("three looks took %s, want %s", d, 2*watchPace)
		}
	})
}

func TestWatchEndsWithAnErrorThatStays(t *testing.T) {
	a := newApp(nil, nil, io.Discard, io.Discard, time.Now)
	w := watchFlags{watch: true}
	want := errors.New("no such thing")
	if err := w.loop(t.Context(), a, func(context.Context) error { return want }); !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}
