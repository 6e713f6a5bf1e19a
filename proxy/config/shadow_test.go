package config

import (
	"strings"
	"testing"
)

// withDark is the good configuration with a sink and a dark core; edits come after it.
func withDark(t *testing.T, dark string, oldnew ...string) (*Resolved, error) {
	t.Helper()
	_, r, err := edit(t, append([]string{
		"  - {name: own, side: own", "  - {name: sink, side: shadow, address: \"10.0.0.13:5070\"}\n  - {name: own, side: own",
		"    sources: [10.0.2.0/25", "    dark: [" + dark + "]\n    sources: [10.0.2.0/25",
	}, oldnew...)...)
	return r, err
}

func TestShadowStandsApart(t *testing.T) {
	r, err := withDark(t, `{name: d1, uri: "sip:10.0.2.200", sink: sink, build: "v2.1-rc.1+x"}`)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Shadow) != 1 || r.Shadow[0].Name != "sink" || r.Shadow[0].Addr.String() != "10.0.0.13:5070" || r.Shadow[0].Index != 0 || r.Shadow[0].Entry != 5 {
		t.Errorf("shadow: %+v", r.Shadow)
	}
	if len(r.Dark) != 1 || r.Dark[0].Addr.String() != "10.0.2.200:5060" || r.Dark[0].Sink != 0 || r.Dark[0].Build != "v2.1-rc.1+x" ||
		len(r.Dark[0].Sources) != 1 || r.Dark[0].Sources[0].String() != "10.0.2.200/32" {
		t.Errorf("dark: %+v", r.Dark)
	}
	// The edge's own listeners are counted without it, by whatever points at one.
	for i, l := range r.Listeners {
		if l.Index != i || l.Side == Shadow {
			t.Errorf("listener %d: %+v", i, l)
		}
	}
	if own := r.Listeners[5]; own.Name != "own" || own.Entry != 6 {
		t.Errorf("own: %+v", own)
	}
	if _, ours := r.Addresses["10.0.0.13:5070"]; ours {
		t.Error("a message for the sink's address would be one for the edge")
	}
}

// A dark core without a sink of its own family, or a second one without a name, is refused; where it stands in the network of
// others it must be the narrower of the two.
func TestDarkCores(t *testing.T) {
	const second = "  - {name: own, side: own"
	for name, c := range map[string]struct {
		dark  string
		edits []string
		wrong string // "": it is fine
	}{
		"the only sink needs no name":  {`{name: d1, uri: "sip:10.0.2.200"}`, nil, ""},
		"two sinks do":                 {`{name: d1, uri: "sip:10.0.2.200"}`, []string{second, "  - {name: sink-2, side: shadow, address: \"10.0.0.14:5070\"}\n" + second}, "write one of sink, sink-2"},
		"a sink that is none":          {`{name: d1, uri: "sip:10.0.2.200", sink: own}`, nil, `"own" is no listener of side shadow`},
		"a sink of the other family":   {`{name: d1, uri: "sip:[2001:db8::9]"}`, nil, "another family"},
		"two dark cores":               {`{name: d1, uri: "sip:10.0.2.200"}, {name: d2, uri: "sip:10.0.2.201"}`, nil, ""},
		"one name twice":               {`{name: d1, uri: "sip:10.0.2.200"}, {name: d1, uri: "sip:10.0.2.201"}`, nil, "also the name of entry 0"},
		"one address twice":            {`{name: d1, uri: "sip:10.0.2.200"}, {name: d2, uri: "sip:10.0.2.200"}`, nil, "already the dark core d1"},
		"tcp":                          {`{name: d1, uri: "sip:10.0.2.200;transport=tcp"}`, nil, "by UDP only"},
		"a name":                       {`{name: d1, uri: "sip:dark.example"}`, nil, "names are not resolved"},
		"the sink itself":              {`{name: d1, uri: "sip:10.0.0.13:5070"}`, nil, "our own listener sink"},
		"a target":                     {`{name: d1, uri: "sip:10.0.1.5"}`, nil, "the target l1 of legacy"},
		"a carrier":                    {`{name: d1, uri: "sip:198.51.100.1"}`, nil, "the carrier carrier-a"},
		"in a platform's network":      {`{name: d1, uri: "sip:10.0.2.100"}`, nil, ""},
		"the whole of it":              {`{name: d1, uri: "sip:10.0.2.100", sources: [10.0.2.0/25]}`, nil, "of core: what comes from there is refused"},
		"more than it":                 {`{name: d1, uri: "sip:10.0.2.200", sources: [10.0.0.0/16]}`, nil, "10.0.0.0/16 holds"},
		"a part with a target in it":   {`{name: d1, uri: "sip:10.0.2.100", sources: [10.0.2.0/26]}`, nil, "the target c1 of core"},
		"the address of a source":      {`{name: d1, uri: "sip:10.0.9.9:5090"}`, nil, "10.0.9.9:5080 of core"},
		"its address by another port":  {`{name: d1, uri: "sip:10.0.9.9:5090", sources: ["10.0.9.9:5090"]}`, nil, ""},
		"its address by the same port": {`{name: d1, uri: "sip:10.0.9.9:5090", sources: ["10.0.9.9:5080"]}`, nil, "of core: what"},
		"a target's by another port":   {`{name: d1, uri: "sip:10.0.1.5:5090", sources: ["10.0.1.5:5090"]}`, nil, ""},
		"in a carrier's network":       {`{name: d1, uri: "sip:198.51.100.9"}`, nil, ""},
		"all of a carrier's network":   {`{name: d1, uri: "sip:198.51.100.9", sources: [198.51.100.0/28]}`, nil, "the carrier carrier-a"},
		"the whole internet":           {`{name: d1, uri: "sip:10.0.2.200", sources: [0.0.0.0/0]}`, nil, "whole Internet"},
	} {
		r, err := withDark(t, c.dark, c.edits...)
		switch {
		case c.wrong == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.wrong == "" && len(r.Dark) == 0:
			t.Errorf("%s: no dark core", name)
		case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)):
			t.Errorf("%s: wanted %q, got %v", name, c.wrong, err)
		}
	}
}

// Two sources have nothing in common, or one is a part of the other: of a table of all pairs, which is which.
func TestSourceApartFrom(t *testing.T) {
	for _, c := range []struct {
		s, o  string
		apart bool
	}{
		{"10.0.0.0/24", "10.0.1.0/24", true},
		{"10.0.0.0/24", "10.0.0.0/24", false},
		{"10.0.0.0/25", "10.0.0.0/24", true},
		{"10.0.0.0/24", "10.0.0.0/25", false},
		{"10.0.0.1:5060", "10.0.0.1:5060", false},
		{"10.0.0.1:5060", "10.0.0.1:5070", true},
		{"10.0.0.1:5060", "10.0.0.1", true},
		{"10.0.0.1", "10.0.0.1:5060", false},
		{"10.0.0.1:5060", "10.0.0.0/24", true},
		{"10.0.0.1", "10.0.0.0/24", true},
	} {
		parse := func(text string) Source {
			p, port, err := parseSource(text)
			if err != nil {
				t.Fatal(err)
			}
			return Source{p, port}
		}
		if got := parse(c.s).apartFrom(parse(c.o)); got != c.apart {
			t.Errorf("%s from %s: %v", c.s, c.o, got)
		}
	}
}
