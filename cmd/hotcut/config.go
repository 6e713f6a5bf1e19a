package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/proxy/config"
)

// cliConfig is the CLI's own file.
type cliConfig struct {
	Store  string    `mapstructure:"store"`
	Output string    `mapstructure:"output"`
	Edges  []cliEdge `mapstructure:"edges"`
}

type cliEdge struct {
	Name  string `mapstructure:"name"`
	Admin string `mapstructure:"admin"`
}

// configure reads the CLI's own file, the environment and the global flags. Flags win, then the environment.
func (a *app) configure(cmd *cobra.Command) error {
	v := viper.New()
	v.SetEnvPrefix("HOTCUT")
	path, named := a.flags.cliConfig, a.flags.cliConfig != ""
	if !named {
		if dir, err := os.UserConfigDir(); err == nil {
			path = filepath.Join(dir, "hotcut", "cli.yaml")
		}
	}
	if path != "" {
		v.SetConfigFile(path)
		if err := v.ReadInConfig(); err != nil && (named || !errors.Is(err, fs.ErrNotExist)) {
			return usage(fmt.Errorf("the CLI's configuration %s: %w", path, unread(path, err)))
		}
	}
	if err := v.UnmarshalExact(&a.conf); err != nil {
		return usage(fmt.Errorf("the CLI's configuration %s: %w", path, err))
	}
	if err := errors.Join(v.BindEnv("store"), v.BindEnv("output")); err != nil {
		return err
	}
	a.conf.Store, a.conf.Output = v.GetString("store"), v.GetString("output")
	for flag, to := range map[string]*string{"store": &a.conf.Store, "output": &a.conf.Output} {
		if f := cmd.Flags().Lookup(flag); f != nil && f.Changed {
			*to = f.Value.String()
		}
	}
	if a.conf.Output == "" {
		a.conf.Output = "table"
	}
	if slices.Contains(strings.Fields(cmd.Annotations[moreForms]), a.conf.Output) {
		a.form, a.conf.Output = a.conf.Output, "table" // its errors are for people
	}
	if a.flags.noColor {
		a.colours = false
	}
	if a.flags.noInput {
		a.asks = false
	}
	return cmp.Or(checkOutput(a.conf.Output), checkEdges(path, a.conf.Edges), a.checkDurations(cmd))
}

// unread says why a file could not be read. Viper tells the form by the extension, and complains of that even about a
// file that is not there.
func unread(path string, err error) error {
	if _, missing := os.Stat(path); missing != nil {
		if inner := errors.Unwrap(missing); inner != nil {
			return inner // without the path, which the caller names
		}
		return missing
	}
	if _, ok := errors.AsType[viper.UnsupportedConfigError](err); ok {
		return fmt.Errorf("the extension %q names no form of configuration; name the file %s.yaml", filepath.Ext(path), filepath.Base(path))
	}
	return err
}

// checkDurations refuses times that can not be meant.
func (a *app) checkDurations(cmd *cobra.Command) error {
	if a.flags.timeout <= 0 {
		return usage(fmt.Errorf("--timeout %s: write how long one question may take, such as 5s", a.flags.timeout), "hotcut help"+pathOf(cmd))
	}
	for _, name := range []string{"wait", "wait-drained", "soak"} {
		if f := cmd.Flags().Lookup(name); f != nil && strings.HasPrefix(f.Value.String(), "-") {
			return usage(fmt.Errorf("--%s %s: a time can not be negative", name, f.Value), "hotcut help"+pathOf(cmd))
		}
	}
	return nil
}

func checkEdges(path string, edges []cliEdge) error {
	seen := make(map[string]bool)
	for i, e := range edges {
		switch {
		case e.Name == "":
			return usage(fmt.Errorf("%s: edges[%d].name is missing", path, i))
		case seen[e.Name]:
			return usage(fmt.Errorf("%s: edges[%d].name: %q stands twice", path, i, e.Name))
		case !strings.HasPrefix(e.Admin, "unix://"):
			return usage(fmt.Errorf("%s: edges[%d].admin: %q is not the admin socket of an edge; write unix:///path", path, i, e.Admin))
		}
		seen[e.Name] = true
	}
	return nil
}

func (c cliConfig) addresses() []migration.Address {
	out := make([]migration.Address, 0, len(c.Edges))
	for _, e := range c.Edges {
		out = append(out, migration.Address{Name: e.Name, Admin: e.Admin})
	}
	return out
}

// edgeConfig reads an edge's file (any format that viper knows; "" means no file) and HOTCUT_SECTION_KEY over it. The
// error names every fault at once, with its line if the file is YAML.
func edgeConfig(path, store string) (*config.Config, error) {
	v := viper.New()
	v.SetEnvPrefix("HOTCUT")
	v.SetEnvKeyReplacer(strings.NewReplacer(".", "_"))
	for _, key := range config.Paths() {
		if err := v.BindEnv(key); err != nil {
			return nil, err
		}
	}
	var lines map[string]int
	if path != "" {
		v.SetConfigFile(path)
		if err := v.ReadInConfig(); err != nil {
			return nil, fmt.Errorf("%s: %w", path, unread(path, err))
		}
		if ext := filepath.Ext(path); ext == ".yaml" || ext == ".yml" {
			b, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			if lines, err = config.Lines(b); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	if store != "" {
		v.Set("store", store)
	}
	c, err := config.Decode(v.AllSettings())
	if err == nil {
		err = c.Validate()
	} else {
		err = errors.Join(err, c.Validate())
	}
	return c, config.WithLines(err, lines)
}

// mediaFile reads the file of `hotcut media` into what its flags have not said.
func mediaFile(path string, o *mediaOptions, said func(flag string) bool) error {
	v := viper.New()
	v.SetConfigFile(path)
	if err := v.ReadInConfig(); err != nil {
		return fmt.Errorf("%s: %w", path, unread(path, err))
	}
	flags := *o
	if err := v.UnmarshalExact(o); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for flag, keep := range map[string]func(){
		"listen-ng": func() { o.ListenNG = flags.ListenNG }, "outside": func() { o.Outside = flags.Outside },
		"inside": func() { o.Inside = flags.Inside }, "ports": func() { o.Ports = flags.Ports }, "allow": func() { o.Allow = flags.Allow },
		"state": func() { o.State = flags.State }, "metrics": func() { o.Metrics = flags.Metrics },
		"media-nets": func() { o.MediaNets = flags.MediaNets }, "silent": func() { o.Silent = flags.Silent },
		"dscp": func() { o.DSCP = flags.DSCP }, "log": func() { o.Log = flags.Log },
	} {
		if said(flag) {
			keep()
		}
	}
	return nil
}
