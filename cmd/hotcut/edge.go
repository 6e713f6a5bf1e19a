package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/hotcut/hotcut/proxy"
	"github.com/hotcut/hotcut/proxy/config"
	"github.com/hotcut/hotcut/proxy/location"
	"github.com/hotcut/hotcut/proxy/location/share"
)

func newEdgeCmd(a *app) *cobra.Command {
	var file, recording string
	var check bool
	cmd := &cobra.Command{
		Use:   "edge [--config F]",
		Short: "Run an edge",
		Long: `Edge runs one SIP edge until it is interrupted, or until it has drained. Its configuration is a YAML file, or any that
viper reads; every key also as HOTCUT_SECTION_KEY in the environment. SIGHUP reads it again.`,
		Args: exact(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			read := func() (*config.Config, error) { return edgeConfig(file, a.flags.store) }
			c, err := read()
			if check {
				return a.checked(file, c, err)
			}
			if err != nil {
				return hint(faulty(file, err), checkCommand(file))
			}
			return a.runEdge(cmd.Context(), c, read, recording)
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "configuration file")
	cmd.Flags().StringVar(&recording, "record", "", "file to which mirrored calls are recorded, sealed, for 'hotcut shadow replay'; for an edge without a dark core")
	cmd.Flags().BoolVar(&check, "check", false, "say everything that is wrong with the configuration, and stop")
	return cmd
}

// checkCommand is how to see the faults again.
func checkCommand(file string) string {
	if file == "" {
		return "hotcut edge --check --config edge.yaml"
	}
	return "hotcut edge --check --config " + file
}

// checkData is the verdict on a configuration.
type checkData struct {
	File   string      `json:"file"`
	OK     bool        `json:"ok"`
	Faults []faultData `json:"faults"`
}

type faultData struct {
	Path    string `json:"path"`
	Line    int    `json:"line,omitempty"`
	Problem string `json:"problem"`
	Fix     string `json:"fix,omitempty"`
}

// checked prints every fault at once.
func (a *app) checked(file string, c *config.Config, err error) error {
	d := checkData{File: file, OK: err == nil, Faults: []faultData{}}
	faults := config.Faults(err)
	for _, f := range faults {
		d.Faults = append(d.Faults, faultData{f.Path, f.Line, f.Problem, f.Fix})
	}
	if err != nil && len(faults) == 0 {
		return err // the file can not be read at all
	}
	r := result{kind: "Check", fresh: live, data: d, table: func(w io.Writer) {
		for _, f := range faults {
			fmt.Fprintln(w, inFile(file, f))
		}
		if err == nil {
			fmt.Fprintf(w, "%s: in order\n", nameOf(file))
		}
	}}
	if err == nil {
		r.warnings = c.Warnings()
		return a.show(r)
	}
	return join(a.show(r), &failure{exit: exitError, code: "faulty", err: fmt.Errorf("%s: %s", nameOf(file), plural(len(faults), "fault"))})
}

func nameOf(file string) string {
	if file == "" {
		return "the environment"
	}
	return file
}

// inFile puts a fault the way editors jump to.
func inFile(file string, f *config.Fault) string {
	where := nameOf(file)
	if f.Line > 0 {
		where = fmt.Sprintf("%s:%d", where, f.Line)
	}
	s := fmt.Sprintf("%s: %s: %s", where, f.Path, f.Problem)
	if f.Fix != "" {
		s += "; " + f.Fix
	}
	return s
}

func faulty(file string, err error) error {
	faults := config.Faults(err)
	if len(faults) == 0 {
		return err
	}
	lines := make([]string, 0, len(faults))
	for _, f := range faults {
		lines = append(lines, inFile(file, f))
	}
	return fmt.Errorf("%s:\n  %s", plural(len(faults), "fault"), strings.Join(lines, "\n  "))
}

// runEdge runs the edge until ctx ends or it has drained. Its log goes to stderr.
func (a *app) runEdge(ctx context.Context, c *config.Config, read func() (*config.Config, error), recording string) error {
	store, err := openStore(c.Store)
	if err != nil {
		return err
	}
	a.opened = store
	setCollector()
	log := a.loggerOf(c.Log)
	setSlices(log)
	for _, warning := range c.Warnings() {
		log.Warn("configuration", "warning", warning)
	}
	o := proxy.Options{Config: c, Store: store, Log: log, Build: build(), Reload: read, Share: shareBindings}
	beside, err := newBeside(c, recording, log)
	if err != nil {
		return err
	}
	beside.into(&o)
	edge, err := proxy.New(o)
	if err != nil {
		return errors.Join(err, beside.close())
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go reloadOnHangup(ctx, edge, log)
	defer beside.start(ctx, edge, log)()
	return edge.Run(ctx)
}

// shareBindings joins an edge's bindings with those of the others.
func shareBindings(url string, t *location.Table, log *slog.Logger) (*proxy.Sharing, error) {
	s, err := share.Open(url, t, log)
	if err != nil {
		return nil, err
	}
	return &proxy.Sharing{Run: s.Run, Ask: s.Ask, State: func() proxy.ShareState {
		x := s.State()
		return proxy.ShareState{Live: x.Live, Since: x.Since, LastError: x.LastError, Published: x.Published, Learned: x.Learned,
			Dropped: x.Dropped, Foreign: x.Foreign, Asked: x.Asked, AskShed: x.AskShed, AskLate: x.AskLate}
	}}, nil
}

// reloadOnHangup reads the configuration again at each SIGHUP.
func reloadOnHangup(ctx context.Context, edge *proxy.Edge, log *slog.Logger) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			changed, needsRestart, err := edge.Reload()
			if err != nil {
				log.Error("reload refused, all stays as it was", "error", err.Error())
				continue
			}
			log.Info("reloaded", "changed", changed, "needsRestart", needsRestart)
		}
	}
}

// loggerOf makes the edge's log, on stderr.
func (a *app) loggerOf(l config.Log) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		level = slog.LevelInfo // Validate has refused every word but the four
	}
	opts := &slog.HandlerOptions{Level: level}
	if l.Format == "text" {
		return slog.New(slog.NewTextHandler(a.err, opts))
	}
	return slog.New(slog.NewJSONHandler(a.err, opts))
}
