package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/policy"
)

// maxInput bounds a file that a person hands over: a policy of 100,000 tenants is about 100 MB.
const maxInput = 1 << 30

// globalsFlags set what holds for all tenants.
type globalsFlags struct {
	dflt  string
	gates []string
	tests string
}

func (g *globalsFlags) on(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&g.dflt, "default", "", "platform of tenants that the policy does not know: legacy, core, or none (drop)")
	f.StringArrayVar(&g.gates, "gate", nil, "NAME=off|warn|require; may be given several times")
	f.StringVar(&g.tests, "tests", "", "file of routing tests, a JSON or YAML list of {name, tenant, from, to, method, expect}; - is stdin")
}

func (g *globalsFlags) given() bool { return g.dflt != "" || len(g.gates) > 0 || g.tests != "" }

// edit reads the flags into a change of globals.
func (g *globalsFlags) edit() (func(*policy.Globals), error) {
	gates := make(map[string]policy.Gate, len(g.gates))
	for _, s := range g.gates {
		name, level, ok := strings.Cut(s, "=")
		switch policy.Gate(level) {
		case policy.GateOff, policy.GateWarn, policy.GateRequire:
		default:
			ok = false
		}
		if !ok || name == "" {
			return nil, usage(fmt.Errorf("--gate %q: write NAME=off, NAME=warn or NAME=require", s))
		}
		if known := migration.Gates(); !slices.Contains(known, name) {
			return nil, usage(fmt.Errorf("--gate %q: no command asks a gate %q; there is %s", s, name, list(known, len(known))))
		}
		gates[name] = policy.Gate(level)
	}
	var tests []policy.Test
	if g.tests != "" {
		raw, err := readDocument(g.tests)
		if err != nil {
			return nil, err
		}
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&tests); err != nil {
			return nil, fmt.Errorf("--tests %s: %w", g.tests, err)
		}
	}
	return func(to *policy.Globals) {
		if g.dflt != "" {
			to.Default = g.dflt
		}
		for name, level := range gates {
			if to.Gates == nil {
				to.Gates = make(map[string]policy.Gate)
			}
			to.Gates[name] = level
		}
		if g.tests != "" {
			to.Tests = tests
		}
	}, nil
}

// readInput reads a file, or stdin for "-".
func readInput(name string) ([]byte, error) {
	f := os.Stdin
	if name != "-" {
		var err error
		if f, err = os.Open(name); err != nil {
			return nil, err
		}
		defer f.Close()
	}
	b, err := io.ReadAll(io.LimitReader(f, maxInput+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(b) > maxInput {
		return nil, fmt.Errorf("%s: more than %d MiB", name, maxInput>>20)
	}
	return b, nil
}
