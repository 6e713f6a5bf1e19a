package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/user"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/policy"
)

// app is one run of the program: its streams, its clock, its flags, and what the verbs share.
type app struct {
	args     []string
	in       *os.File
	out, err io.Writer
	asks     bool // stdin is a terminal: questions can be asked
	colours  bool // stderr is a terminal
	now      func() time.Time

	flags  globalFlags
	author authorFlags
	change changeFlags
	conf   cliConfig
	form   string // an output form of this verb alone: md, html

	opened  policy.Store
	engine  *migration.Engine
	pending *result // what --output json, yaml and jsonl print at the end
}

// globalFlags mean the same on every verb.
type globalFlags struct {
	store     string
	output    string
	cliConfig string
	noInput   bool
	noColor   bool
	verbose   bool
	timeout   time.Duration
}

func newApp(args []string, in *os.File, out, err io.Writer, now func() time.Time) *app {
	a := &app{args: args, in: in, out: out, err: err, now: now}
	a.asks = isTerminal(in)
	a.colours = isTerminal(err) && os.Getenv("NO_COLOR") == ""
	return a
}

// isTerminal asks the kernel: a character device alone is no terminal, /dev/null is one of those.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok || f == nil {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// say is talk: to people, on stderr.
func (a *app) say(format string, args ...any) {
	fmt.Fprintf(a.err, format+"\n", args...)
}

// detail is talk that only -v wants.
func (a *app) detail(format string, args ...any) {
	if a.flags.verbose {
		a.say(format, args...)
	}
}

// limited bounds one question to the store or to an edge.
func (a *app) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, a.flags.timeout)
}

// actor is who types: HOTCUT_ACTOR for automation, else the user behind sudo, else the user, at this host.
func actor() string {
	if who := os.Getenv("HOTCUT_ACTOR"); who != "" {
		return who
	}
	who := os.Getenv("SUDO_USER")
	if who == "" {
		if u, err := user.Current(); err == nil {
			who = u.Username
		}
	}
	host, err := os.Hostname()
	if err != nil || host == "" {
		return who
	}
	return who + "@" + host
}
