package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/hotcut/hotcut/proxy/config"
	"github.com/hotcut/hotcut/proxy/lab"
)

// Where the lab's parts stand. Platforms and edges have loopback addresses of their own, because an edge tells
// platforms apart by their networks.
var (
	labLegacyIP = netip.MustParseAddr("127.0.1.5")
	labCoreIP   = netip.MustParseAddr("127.0.2.5")
	labEdgeIPs  = []netip.Addr{netip.MustParseAddr("127.0.0.11"), netip.MustParseAddr("127.0.0.12")}
	labOwnIPs   = []netip.Addr{netip.MustParseAddr("127.0.0.21"), netip.MustParseAddr("127.0.0.22")} // of the edges' own requests
	labDarkIP   = netip.MustParseAddr("127.0.3.5")
	labSinkIPs  = []netip.Addr{netip.MustParseAddr("127.0.0.41"), netip.MustParseAddr("127.0.0.42")} // of the copies of calls
	labNATIP    = netip.MustParseAddr("127.0.0.31")
)

// labWorld is everything that the story plays with.
type labWorld struct {
	dir     string
	binary  string // this program
	store   string // URL
	cliFile string // the CLI's own file: store and edges

	redis  *lab.Redis // nil with a real one
	legacy *lab.Switch
	core   *lab.Switch
	dark   *lab.Switch // an instance of the core that gets copies of calls
	edges  []*lab.Edge
	nat    *lab.NAT
	phones map[string]*labPhone // by name
	lamps  []*labLamp

	running *errgroup.Group
	life    context.Context // of the peers and of every call
	log     *os.File
}

// newLabWorld makes every part and binds its sockets; nothing runs yet but the embedded Redis.
func newLabWorld(o labOptions) (_ *labWorld, err error) {
	w := &labWorld{store: o.redis, phones: make(map[string]*labPhone), running: new(errgroup.Group)}
	if w.binary = o.binary; w.binary == "" {
		if w.binary, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	if w.dir, err = os.MkdirTemp("", "hotcut-lab-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close(), os.RemoveAll(w.dir))
		}
	}()
	if w.log, err = os.Create(filepath.Join(w.dir, "peers.log")); err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(w.log, nil))
	if w.store == "" {
		if w.redis, err = lab.StartRedis(); err != nil {
			return nil, err
		}
		w.store = w.redis.URL()
	}
	if err = w.makeSwitches(log); err != nil {
		return nil, err
	}
	if err = w.makeEdges(); err != nil {
		return nil, err
	}
	return w, w.makePhones(log)
}

// makeSwitches makes two platforms, and a dark core, with the same accounts, which challenge everything, with nonces that the other does not
// take. Each believes the other about who calls, since edges let nobody but platforms assert an identity. The legacy one has
// never heard of Path.
func (w *labWorld) makeSwitches(log *slog.Logger) (err error) {
	o := lab.SwitchOptions{Accounts: labAccounts(), ChallengeCalls: true, Trusted: labOwnIPs, TrustedCalls: labEdgeIPs, MaxExpires: labSeldom, Log: log, Plan: labPlan}
	o.Platform, o.Server, o.IP, o.NoPath = "legacy", "lab-legacy", labLegacyIP, true
	if w.legacy, err = lab.NewSwitch(o); err != nil {
		return err
	}
	o.Platform, o.Server, o.IP, o.NoPath = "core", "lab-core", labCoreIP, false
	if w.core, err = lab.NewSwitch(o); err != nil {
		return err
	}
	// The dark core knows nobody but the edges' shadows, and believes them.
	o.Server, o.IP, o.Trusted, o.TrustedCalls = "lab-dark", labDarkIP, labSinkIPs, labSinkIPs
	o.TrunkBack = true
	w.dark, err = lab.NewSwitch(o)
	return err
}

func (w *labWorld) makeEdges() error {
	keys := filepath.Join(w.dir, "keys")
	if err := os.WriteFile(keys, []byte(config.MintKeyLine()+"\n"), 0o600); err != nil {
		return err
	}
	for i, ip := range labEdgeIPs {
		name := fmt.Sprintf("edge-%d", i+1)
		e, err := lab.NewEdge(w.binary, lab.EdgeOptions{
			Name: name, IP: ip, Dir: filepath.Join(w.dir, name), Store: w.store, Keys: keys,
			Legacy: w.legacy.Addr(), Core: w.core.Addr(), Dark: w.dark.Addr(), Shadow: labSinkIPs[i], Own: labOwnIPs[i], Keepalive: labNATIdle / 4,
			LegacyTarget: lab.TargetOptions{ReachBack: "contact", Keep: "trust", ListsAll: true},
			CoreTarget:   lab.TargetOptions{ReachBack: "path", Keep: "trust", ListsAll: true},
		})
		if err != nil {
			return err
		}
		w.edges = append(w.edges, e)
	}
	return w.writeCLIFile(nil)
}

// writeCLIFile writes the CLI's own file: the store, and the edges by which --direct works without it.
func (w *labWorld) writeCLIFile(edges []*lab.Edge) error {
	cli := "store: " + w.store + "\n"
	if len(edges) > 0 {
		cli += "edges:\n"
	}
	for _, e := range edges {
		cli += fmt.Sprintf("  - {name: %s, admin: \"unix://%s\"}\n", e.Name, e.Socket)
	}
	w.cliFile = filepath.Join(w.dir, "cli.yaml")
	return os.WriteFile(w.cliFile, []byte(cli), 0o600)
}

// start lets switches and phones work. Edges start with the story, once there is a policy.
func (w *labWorld) start(ctx context.Context) {
	w.life = ctx
	w.running.Go(func() error { return w.legacy.Run(ctx) })
	w.running.Go(func() error { return w.core.Run(ctx) })
	w.running.Go(func() error { return w.dark.Run(ctx) })
	w.running.Go(func() error { return w.nat.Run(ctx) })
	for _, p := range w.phones {
		w.running.Go(func() error { return p.Run(ctx) })
	}
}

// close stops what runs. The peers end with the context that start was given.
func (w *labWorld) close() error {
	var errs []error
	for _, e := range w.edges {
		errs = append(errs, e.Stop())
	}
	errs = append(errs, w.running.Wait())
	if w.redis != nil {
		w.redis.Stop()
	}
	if w.log != nil {
		errs = append(errs, w.log.Close())
	}
	return errors.Join(errs...)
}

// hotcut runs a command as a person in another terminal would: the same program, its own process, its exit code. It
// returns what a terminal would have shown.
func (w *labWorld) hotcut(ctx context.Context, args ...string) (exit int, shown string, err error) {
	var b bytes.Buffer
	cmd := w.command(ctx, args)
	cmd.Stdout, cmd.Stderr = &b, &b
	err = cmd.Run()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok && failed.ExitCode() >= 0 {
		return failed.ExitCode(), b.String(), nil
	}
	return 0, b.String(), err
}

// data runs a command for its standard output alone.
func (w *labWorld) data(ctx context.Context, args ...string) ([]byte, error) {
	out, err := w.command(ctx, args).Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("hotcut %s: exit %d: %s", strings.Join(args, " "), failed.ExitCode(), bytes.TrimSpace(failed.Stderr))
	}
	return out, err
}

func (w *labWorld) command(ctx context.Context, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, w.binary, append(slices.Clone(args), "--cli-config", w.cliFile)...)
	cmd.Args[0] = os.Args[0] // a test binary decides by this name which command it plays
	cmd.Env = append(lab.Environ(), "HOTCUT_ACTOR=lab", "XDG_CACHE_HOME="+filepath.Join(w.dir, "cache"))
	return cmd
}
