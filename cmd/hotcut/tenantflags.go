package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/policy"
)

// tenantFlags set fields of a tenant. What they do not reach comes from a file.
type tenantFlags struct {
	file                         string
	name, country, area, outside string
	domains, numbers             []string
	users, groups, assigned      []string
	poolLegacy, poolCore         string
	armed                        string
	clear                        []string
}

func (t *tenantFlags) on(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&t.file, "file", "f", "", "JSON or YAML file of fields; - is stdin. Flags win over it")
	f.StringVar(&t.name, "name", "", "name for people")
	f.StringSliceVar(&t.domains, "domain", nil, "SIP domain; the first is the canonical one")
	f.StringSliceVar(&t.numbers, "number", nil, "E.164: a prefix (+1303555) or an inclusive range (+13035550100-+13035550199)")
	f.StringVar(&t.country, "country", "", "E.164 country code, to read what phones dial")
	f.StringVar(&t.area, "area", "", "area code put before a local number")
	f.StringVar(&t.outside, "outside-prefix", "", "digits dialled for an outside line")
	f.StringSliceVar(&t.users, "user", nil, "NUMBER=USER or ALIAS=USER")
	f.StringSliceVar(&t.groups, "group", nil, "USER=GROUP: users that move together")
	f.StringSliceVar(&t.assigned, "assign", nil, "USER=core|legacy: a user put on a platform by name")
	f.StringVar(&t.poolLegacy, "pool-legacy", "", "target pool of legacy that serves this tenant")
	f.StringVar(&t.poolCore, "pool-core", "", "target pool of core that serves this tenant")
}

// changing are flags of tenants that exist.
func (t *tenantFlags) changing(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&t.armed, "armed", "", "how long from now its phones shall register every two minutes, for a move that is near (4h); off ends that")
	f.StringArrayVar(&t.clear, "clear", nil, "JSON name of a field to take away; may be given several times")
	completeWords(cmd, "armed", "1h", "4h", "off")
}

// fields are what the file and the flags say, by JSON name.
func (t *tenantFlags) fields(cmd *cobra.Command, now time.Time) (migration.Fields, error) {
	out := make(migration.Fields)
	if t.file != "" {
		f, err := readRecord(t.file)
		if err != nil {
			return nil, err
		}
		out = f
	}
	var errs []error
	put := func(flag, field string, value func() (any, error)) {
		if !cmd.Flags().Changed(flag) {
			return
		}
		v, err := value()
		if err != nil {
			errs = append(errs, usage(fmt.Errorf("--%s: %w", flag, err)))
			return
		}
		b, err := json.Marshal(v)
		if err != nil {
			errs = append(errs, err)
			return
		}
		out[field] = b
	}
	text := func(s *string) func() (any, error) { return func() (any, error) { return *s, nil } }
	many := func(s *[]string) func() (any, error) { return func() (any, error) { return *s, nil } }
	pairs := func(s *[]string) func() (any, error) { return func() (any, error) { return mapOf(*s) } }
	put("name", "name", text(&t.name))
	put("domain", "domains", many(&t.domains))
	put("number", "numbers", many(&t.numbers))
	put("country", "country", text(&t.country))
	put("area", "area", text(&t.area))
	put("outside-prefix", "outsidePrefix", text(&t.outside))
	put("user", "users", pairs(&t.users))
	put("group", "groups", pairs(&t.groups))
	put("assign", "assigned", pairs(&t.assigned))
	put("armed", "phase", func() (any, error) { return armedUntil(t.armed, now) })
	if cmd.Flags().Changed("pool-legacy") || cmd.Flags().Changed("pool-core") {
		b, err := json.Marshal(map[string]string{"legacy": t.poolLegacy, "core": t.poolCore})
		errs = append(errs, err)
		out["pool"] = b
	}
	for _, name := range t.clear {
		out[name] = json.RawMessage("null")
	}
	return out, errors.Join(errs...)
}

// maxArmed bounds a typing error: all that time phones register every two minutes.
const maxArmed = 7 * 24 * time.Hour

// armedUntil reads how long a tenant is to be armed; nil for off.
func armedUntil(s string, now time.Time) (*policy.Phase, error) {
	if s == "off" {
		return nil, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < time.Second || d > maxArmed {
		return nil, fmt.Errorf("%q: write how long, such as 4h, at most %.0fh, or off", s, maxArmed.Hours())
	}
	return &policy.Phase{Name: policy.PhaseArmed, Until: now.Add(d).Unix()}, nil
}

func mapOf(pairs []string) (map[string]string, error) {
	out := make(map[string]string, len(pairs))
	for _, p := range pairs {
		k, v, ok := strings.Cut(p, "=")
		if !ok || k == "" || v == "" {
			return nil, fmt.Errorf("%q: write NAME=VALUE", p)
		}
		out[k] = v
	}
	return out, nil
}
