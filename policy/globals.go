package policy

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// maxTests bounds the tests of a policy: every edge runs all of them at every change.
const maxTests = 2000

// norm writes out the defaults, so that two ways of saying the same compare equal.
func (g Globals) norm() Globals {
	if g.Default == "" {
		g.Default = "legacy"
	}
	if g.Halt == "" {
		g.Halt = HaltNone
	}
	return g
}

// platform of an unknown tenant.
func (g Globals) platform() Platform {
	switch g.Default {
	case "core":
		return Core
	case "none":
		return NoPlatform
	}
	return Legacy
}

// hash of the canonical form: equal hashes are equal globals.
func (g Globals) hash() ([32]byte, error) {
	b, err := canonical(g.norm())
	if err == nil && len(b) > MaxGlobals {
		err = fmt.Errorf("the globals are %d bytes, more than %d: remove tests", len(b), MaxGlobals)
	}
	return sha256.Sum256(b), err
}

// check lists everything that is wrong with the globals.
func (g Globals) check() []Fault {
	f := &faults{}
	switch g.Default {
	case "", "legacy", "core", "none":
	default:
		f.add("default", g.Default, "is no platform", "write legacy, core or none")
	}
	switch g.Halt {
	case "", HaltNone, HaltAllLegacy, HaltFreeze:
	default:
		f.add("halt", string(g.Halt), "is unknown", "write none, all-legacy or freeze")
	}
	if len(g.Gates) > 64 {
		f.add("gates", strconv.Itoa(len(g.Gates)), "are more than 64", "remove those that no command names")
	}
	for _, name := range slices.Sorted(maps.Keys(g.Gates)) {
		if name == "" {
			f.add("gates", "", "has a gate without a name", "name it")
		}
		checkPool(f, "gates["+name+"]", name)
		switch v := g.Gates[name]; v {
		case GateOff, GateWarn, GateRequire:
		default:
			f.add("gates["+name+"]", string(v), "is unknown", "write off, warn or require")
		}
	}
	if len(g.Tests) > maxTests {
		f.add("tests", strconv.Itoa(len(g.Tests)), fmt.Sprintf("are more than %d", maxTests), "keep those that guard something")
		return f.list
	}
	for i, t := range g.Tests {
		t.check(f, fmt.Sprintf("tests[%d]", i))
	}
	return f.list
}

func (t *Test) check(f *faults, field string) {
	checkText(f, field+".name", t.Name)
	if t.Tenant != "" && !validID(t.Tenant) {
		f.add(field+".tenant", t.Tenant, "is no tenant id", "write 1 to 63 of a-z, 0-9 and -")
	}
	for _, p := range []struct{ name, v string }{{"from", t.From}, {"to", t.To}} {
		if u, h, _ := ParseParty(p.v); u == "" && h == "" {
			f.add(field+"."+p.name, p.v, "names nobody", "write a URI, a number or user@domain")
		}
		checkText(f, field+"."+p.name, p.v)
	}
	if t.Method != "" && !validMethod(t.Method) {
		f.add(field+".method", t.Method, "is no SIP method", "write it as it stands in a request, such as INVITE")
	}
	if t.Expect != "legacy" && t.Expect != "core" {
		f.add(field+".expect", t.Expect, "is no platform", "write legacy or core")
	}
}
