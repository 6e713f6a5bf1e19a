package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// labOptions are the flags of `hotcut lab`.
type labOptions struct {
	redis string // URL of a real Redis; empty: an embedded one
	stay  bool
	keep  bool // leave the folder with configurations, logs and state
	pace  time.Duration

	binary string // the program that edges and commands run; empty: this one
}

func newLabCmd(a *app) *cobra.Command {
	var o labOptions
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "Everything on one machine: switches, phones, edges, Redis, and a story of calls that move and come back",
		Long: `lab starts a legacy switch, a new core, two edges, phones and an embedded Redis on loopback addresses and tells a story
with them: phones register and watch each other's lamps, a tenant is flipped while a call is up and rolled back, and its
phones ring on either platform without having registered there; a canary, copies of calls for a dark core, an edge killed in
the middle of a call, Redis gone while calls go on. Every call has audio, which both ends check packet by packet. Every change of policy in it is a hotcut
command, shown as you would type it.

It ends with exit code 0 if every message went where the policy said, every phone rang that should, none asked its user
for a password, and no audio was lost but while an edge was dead; otherwise with 1, naming each thing that went wrong.`,
		Args: exact(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.redis != "" {
				if err := checkStore(o.redis); err != nil {
					return err
				}
			}
			if !cmd.Flags().Changed("pace") && isTerminal(a.out) {
				o.pace = labPace
			}
			return runLab(cmd.Context(), a.out, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.redis, "redis", "", "use this Redis (an empty database of one that runs) instead of the embedded one")
	f.BoolVar(&o.stay, "stay", false, "keep everything running after the story, to try commands in another terminal")
	f.BoolVar(&o.keep, "keep", false, "leave the lab's folder with configurations, logs and states when it ends")
	f.DurationVar(&o.pace, "pace", 0, "wait this long before each line, so that it can be read (default 120ms on a terminal)")
	return cmd
}

// labPace lets a person read along; the whole story stays well under a minute.
const labPace = 120 * time.Millisecond

// checkStore says what is wrong with a store's URL before anything is started.
func checkStore(url string) error {
	store, err := openStore(url)
	if err != nil {
		return usage(fmt.Errorf("--redis: %w", err), "hotcut lab --redis redis://127.0.0.1:6379/9")
	}
	return store.Close()
}

// runLab builds the world, tells the story and takes everything down again.
func runLab(ctx context.Context, out io.Writer, o labOptions) (err error) {
	w, err := newLabWorld(o)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		err = join(err, w.close())
		if o.keep {
			fmt.Fprintf(out, "\n%s is left as it is.\n", w.dir)
		} else {
			err = join(err, os.RemoveAll(w.dir))
		}
	}()
	w.start(ctx)

	s := &labStory{ctx: ctx, world: w, out: out, began: time.Now(), pace: o.pace, hotcut: w.hotcut}
	if err := s.tell(); err != nil {
		s.checkLogins()
		return s.broken(err)
	}
	err = s.verdict()
	if o.stay && ctx.Err() == nil {
		w.invite(out)
		w.traffic(ctx, out)
	}
	return err
}

// invite says what can be tried while the lab stays.
func (w *labWorld) invite(out io.Writer) {
	fmt.Fprintf(out, `
The lab stays until Ctrl-C; its phones go on calling, and what changes is said here. In another terminal:

    export HOTCUT_STORE=%s
    alias hotcut='%s --cli-config %s'

    hotcut status                       hotcut edges                 hotcut registrations acme -w
    hotcut flip cedar --to core         hotcut rollback cedar
    hotcut explain --from carol@cedar.example --to answer@cedar.example
    hotcut history                      hotcut calls

    kill -9 %d                       # %s; what does hotcut edges say?
    hotcut edge --config %s &    # and back
`, w.store, w.binary, w.cliFile, w.edges[1].PID(), w.edges[1].Name, w.edges[1].File)
}

// labFault is one message that went elsewhere than the policy said, or one command that did something else.
type labFault struct{ act, what string }

// verdict says how it went.
func (s *labStory) verdict() error {
	s.checkCalls()
	s.checkLogins()
	s.checkNAT()
	heard := s.checkAudio()
	took := time.Since(s.began).Round(100 * time.Millisecond)
	if len(s.faults) == 0 {
		fmt.Fprintf(s.out, "\n%d calls in %s: every message went where the policy said, none of %s asked for a password,\nand of %d packets of audio none was lost but while an edge was dead.\n",
			len(s.calls), took, plural(len(s.world.phones), "phone"), heard)
		return nil
	}
	return errors.New(plural(len(s.faults), "thing") + " went wrong in the lab:" + s.wrong())
}

// wrong lists the faults, a line each.
func (s *labStory) wrong() string {
	var b strings.Builder
	for _, f := range s.faults {
		fmt.Fprintf(&b, "\n  %s: %s", f.act, f.what)
	}
	return b.String()
}
