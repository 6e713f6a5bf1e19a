package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/hotcut/hotcut/media"
	"github.com/hotcut/hotcut/media/node"
	"github.com/hotcut/hotcut/proxy/config"
)

// mediaOptions are the flags of `hotcut media`, and the keys of its file.
type mediaOptions struct {
	ListenNG  string        `mapstructure:"listenNG"`
	Outside   []string      `mapstructure:"outside"`
	Inside    []string      `mapstructure:"inside"`
	Ports     string        `mapstructure:"ports"`
	Allow     []string      `mapstructure:"allow"`
	State     string        `mapstructure:"state"`
	Metrics   string        `mapstructure:"metrics"`
	MediaNets []string      `mapstructure:"mediaNets"`
	Silent    time.Duration `mapstructure:"silent"`
	DSCP      uint8         `mapstructure:"dscp"`
	Log       string        `mapstructure:"log"`
}

func newMediaCmd(a *app) *cobra.Command {
	var o mediaOptions
	var file string
	cmd := &cobra.Command{
		Use:   "media --outside ADDRESS [--inside ADDRESS]",
		Short: "Run a media relay that a SIP proxy commands by the NG protocol",
		Long: `Media relays RTP on a machine of its own. Any proxy that speaks the NG protocol (Kamailio and OpenSIPS with their
rtpengine modules) tells it what to relay; ` + "`hotcut edge`" + ` relays in its own process and needs none.

An address is [NAME/]ADDRESS[!ADVERTISED]: NAME is what "direction" calls the side (outside and inside by default),
ADVERTISED what SDP says in place of an address that a cloud translates. Each side may have one of IPv4 and one of IPv6;
without --inside both sides are the outside's.

Every flag is also a key of --config (a YAML file, or any that viper reads), in the file's spelling: listenNG, outside,
inside, ports, allow, state, metrics, mediaNets, silent, dscp, log. Flags win.

It runs until it is interrupted. Calls that live then are in --state, and go on with the next one that is started there.`,
		Args: exact(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file != "" {
				if err := mediaFile(file, &o, cmd.Flags().Changed); err != nil {
					return usage(err, "hotcut help media")
				}
			}
			c, err := o.node()
			if err != nil {
				return usage(err, "hotcut help media")
			}
			return a.runMedia(cmd.Context(), c, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&file, "config", "", "configuration file")
	f.StringVar(&o.ListenNG, "listen-ng", "127.0.0.1:2223", "numeric address and port that commands are taken at")
	f.StringSliceVar(&o.Outside, "outside", nil, "address of the side of phones and carriers: [NAME/]ADDRESS[!ADVERTISED]")
	f.StringSliceVar(&o.Inside, "inside", nil, "address of the platforms' side, likewise (default the outside's)")
	f.StringVar(&o.Ports, "ports", "20000-39999", "media ports of each address, LOWEST-HIGHEST")
	f.StringSliceVar(&o.Allow, "allow", nil, "networks that may command (default this machine only)")
	f.StringVar(&o.State, "state", "", "folder that keeps the calls over a restart; empty: they end with the process")
	f.StringVar(&o.Metrics, "metrics", "", "numeric address and port of /metrics and /healthz; empty: none")
	f.StringSliceVar(&o.MediaNets, "media-nets", nil, "networks of the platforms' media servers")
	f.DurationVar(&o.Silent, "silent", time.Hour, "end a call that is silent for so long, in packets and in commands; 0: never")
	f.Uint8Var(&o.DSCP, "dscp", 0, "mark packets with this code point; 46 is expedited forwarding")
	f.StringVar(&o.Log, "log", "info", "debug, info, warn or error")
	completeWords(cmd, "log", "debug", "info", "warn", "error")
	return cmd
}

// node is what the flags say, every fault at once.
func (o *mediaOptions) node() (node.Config, error) {
	var errs []error
	c := node.Config{Silent: o.Silent}
	m := &c.Media
	m.State, m.DSCP, m.Advertise = o.State, o.DSCP, make(map[netip.Addr]netip.Addr)
	inside := o.Inside
	if len(inside) == 0 {
		inside = o.Outside
	}
	for leg, side := range []struct {
		flag      string
		list      []string
		four, six *netip.Addr
	}{{"--outside", o.Outside, &m.Outside, &m.Outside6}, {"--inside", inside, &m.Inside, &m.Inside6}} {
		if len(side.list) == 0 && leg == 0 {
			errs = append(errs, errors.New("--outside is missing: write the address that phones send media to, such as --outside 203.0.113.10"))
		}
		for _, text := range side.list {
			name, addr, advertised, err := parseInterface(text)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s %s: %w", side.flag, text, err))
				continue
			}
			at := side.four
			if addr.Is6() {
				at = side.six
			}
			if at.IsValid() {
				errs = append(errs, fmt.Errorf("%s %s: a second address of its family", side.flag, text))
			}
			*at = addr
			if name != "" && (leg == 0 || len(o.Inside) > 0) {
				c.Names[leg] = name
			}
			if advertised.IsValid() {
				m.Advertise[addr] = advertised
			}
		}
	}
	for leg := range c.Names {
		if c.Names[leg] == "" {
			c.Names[leg] = media.Leg(leg).String()
		}
	}
	var err error
	if m.Ports, err = parsePortRange(o.Ports); err != nil {
		errs = append(errs, fmt.Errorf("--ports %s: %w", o.Ports, err))
	}
	if c.Server.Listen, err = netip.ParseAddrPort(o.ListenNG); err != nil {
		errs = append(errs, fmt.Errorf("--listen-ng %s: write a numeric address and a port, such as 127.0.0.1:2223", o.ListenNG))
	}
	if o.Metrics != "" {
		if _, err := netip.ParseAddrPort(o.Metrics); err != nil {
			errs = append(errs, fmt.Errorf("--metrics %s: write a numeric address and a port, such as 127.0.0.1:9192", o.Metrics))
		}
	}
	c.Server.Allow = parseNets("--allow", o.Allow, &errs)
	m.MediaNets = parseNets("--media-nets", o.MediaNets, &errs)
	if err := new(slog.LevelVar).UnmarshalText([]byte(o.Log)); err != nil {
		errs = append(errs, fmt.Errorf("--log %s: write debug, info, warn or error", o.Log))
	}
	if len(errs) == 0 {
		errs = append(errs, c.Validate())
	}
	return c, errors.Join(errs...)
}

// parseInterface reads [NAME/]ADDRESS[!ADVERTISED], as rtpengine writes it.
func parseInterface(text string) (name string, addr, advertised netip.Addr, err error) {
	if before, after, named := strings.Cut(text, "/"); named {
		if name, text = before, after; name == "" {
			return name, addr, advertised, errors.New("the name is missing before the slash")
		}
	}
	own, said, translated := strings.Cut(text, "!")
	if addr, err = netip.ParseAddr(own); err != nil || addr.Zone() != "" || addr.Is4In6() {
		return name, addr, advertised, fmt.Errorf("%q is no numeric address of this machine", own)
	}
	if translated {
		advertised, err = netip.ParseAddr(said)
		if err != nil || advertised.Zone() != "" || advertised.Is4() != addr.Is4() {
			return name, addr, advertised, fmt.Errorf("%q is no numeric address of the same family", said)
		}
	}
	return name, addr, advertised, nil
}

func parsePortRange(text string) (r media.PortRange, err error) {
	lo, hi, _ := strings.Cut(text, "-")
	low, err1 := strconv.ParseUint(lo, 10, 16)
	high, err2 := strconv.ParseUint(hi, 10, 16)
	if err1 != nil || err2 != nil || low < 1024 || high < low+3 {
		return r, errors.New("write LOWEST-HIGHEST above 1023 with two pairs in it or more, such as 20000-39999")
	}
	return media.PortRange{Lo: uint16(low), Hi: uint16(high)}, nil
}

// parseNets reads networks; an address is a network of one.
func parseNets(flag string, list []string, errs *[]error) (nets []netip.Prefix) {
	for _, text := range list {
		if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
			nets = append(nets, netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(text)
		if err != nil || p.Masked() != p {
			*errs = append(*errs, fmt.Errorf("%s %s: write a network, such as 10.0.0.0/8", flag, text))
			continue
		}
		nets = append(nets, p)
	}
	return nets
}

// runMedia relays until ctx ends.
func (a *app) runMedia(ctx context.Context, c node.Config, o mediaOptions) error {
	log := a.loggerOf(config.Log{Level: o.Log})
	setSlices(log)
	events := newMediaEvents()
	c.Media.OnEvent = events.note
	n, err := node.New(c)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	if o.Metrics != "" {
		l, err := net.Listen("tcp", o.Metrics)
		if err != nil {
			n.Close()
			return err
		}
		server := &http.Server{Handler: mediaHandler(n, events), ReadHeaderTimeout: 5 * time.Second}
		context.AfterFunc(ctx, func() { server.Close() })
		g.Go(func() error {
			if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
		log.Info("metrics", "address", l.Addr().String())
	}
	log.Info("relaying", "ng", n.Addr().String(), "outside", strings.Join(o.Outside, " "), "inside", strings.Join(o.Inside, " "),
		"ports", o.Ports, "calls", n.Relay().Len())
	g.Go(func() error { return n.Run(ctx) })
	err = g.Wait()
	log.Info("ended", "calls", n.Relay().Len())
	return err
}
