package archtest

import (
	"slices"
	"strings"
	"testing"
)

// table is the design's "Layers": a package of ours and the packages of ours that it may import. Imports only point
// down. A package that is not listed has no place yet: give it a row, and the row's reviewer a reason. Rows may be
// ahead of the tree. Tests obey the rows of their package too, plus what testOnly adds.
var table = map[string][]string{
	// L0
	"policy": nil,

	// L1
	"policy/follow":               {"policy", "policy/filestore"}, // the last-good copy and the overrides on disk
	"policy/redisstore":           {"policy"},
	"policy/redisstore/redistest": {"policy"},
	"policy/filestore":            {"policy"},
	"policy/storetest":            {"policy"},
	"proxy/wire":                  nil,
	"proxy/transaction":           nil,
	"proxy/transport":             {"proxy/wire"},
	"proxy/choice":                nil,
	"proxy/health":                nil,
	"proxy/limit":                 nil,
	"proxy/digest":                nil,
	"proxy/config":                nil,
	"proxy/location":              nil,
	"proxy/location/share":        {"proxy/location", "policy/redisstore"},
	"proxy/callrecord":            {"policy"},
	"proxy/metrics":               nil,
	"proxy/mediametrics":          {"media", "media/sdp", "media/relay", "proxy/metrics"}, // one list of names for the edge's relay and the one that stands alone
	"proxy/tap":                   nil,
	"proxy/admin":                 {"policy", "proxy/callrecord"},
	"media":                       nil,
	"media/sdp":                   nil,
	"media/relay":                 {"media", "media/sdp"},
	"media/ng":                    {"media", "media/sdp"},
	"media/remote":                {"media", "media/sdp", "media/relay", "media/ng"},
	"media/node":                  {"media", "media/sdp", "media/relay", "media/ng"},
	"migration/evidence":          nil,
	"migration/shadow/record":     {"proxy/wire", "media/sdp", "policy"}, // messages in, a call record out; one reader of SIP, of SDP and of dialled numbers in the tree
	"dashboards":                  nil,

	// L2
	"proxy": {
		"policy", "policy/follow", "policy/filestore", "media", "media/sdp", "media/relay", "media/remote",
		"proxy/wire", "proxy/transaction", "proxy/transport", "proxy/choice", "proxy/health", "proxy/limit", "proxy/digest", "proxy/location",
		"proxy/config", "proxy/callrecord", "proxy/metrics", "proxy/mediametrics", "proxy/admin", "proxy/tap",
	},
	"migration/shadow/compare": {"migration/shadow/record"}, // pure: two records in, differences out
	"migration/shadow/store":   {"migration/shadow/compare", "migration/shadow/record", "policy/redisstore"},
	"migration/shadow/report":  {"migration/shadow/compare", "migration/shadow/record"},
	"migration/shadow": { // the one place that speaks SIP of its own: the reader, the machines and the answer to a challenge are the edge's, and so is what the edge hands over
		"policy", "proxy/wire", "proxy/transaction", "proxy/tap", "proxy/digest", "migration/shadow/record", "migration/shadow/compare",
	},
	"migration": {"policy", "migration/shadow", "migration/evidence"},
	"legacy":    {"policy"},

	// L3
	"proxy/lab":          {"policy", "proxy", "media"},
	"cmd/hotcut":         {"*"},
	"cmd/hotcut/interop": {"*"}, // tests of the whole, with real peers
	"cmd/hotcut/bench":   {"*"}, // the whole, measured beside its peers
	"archtest":           nil,
}

// testOnly is what the tests of a package may import besides.
var testOnly = map[string][]string{
	"policy/redisstore":      {"policy/storetest", "policy/redisstore/redistest"},
	"policy/filestore":       {"policy/storetest"},
	"policy/follow":          {"policy/filestore", "policy/redisstore", "policy/redisstore/redistest", "policy/storetest"},
	"migration":              {"policy/filestore", "policy/redisstore", "policy/redisstore/redistest", "policy/storetest"},
	"proxy/location/share":   {"policy/redisstore/redistest"},
	"migration/shadow/store": {"policy/redisstore/redistest"},
	"proxy":                  {"policy/redisstore", "policy/redisstore/redistest", "proxy/lab", "media/node", "media/ng"},
	"proxy/lab":              {"proxy/config"}, // the file that it writes must be a valid one
}

// reasons say why an edge that somebody will want one day is not there. "*" ends a prefix.
var reasons = []struct{ from, to, why string }{
	{"policy", "*", "the policy is pure: what decides a call must be testable with values alone"},
	{"policy/*", "proxy*", "a store keeps the policy for whoever asks; it does not know that calls exist"},
	{"proxy*", "migration*", "the edge must run without the migration tooling: on the last day it is deleted"},
	{"proxy*", "legacy", "what knows the old switch dies with it; the edge lives on"},
	{"policy*", "migration*", "a store that knew flips could not outlive them"},
	{"media*", "policy*", "the relay does not know what a tenant is"},
	{"media*", "proxy*", "the relay serves any NG client, not just our edge"},
	{"media/sdp", "*", "it reads and writes bytes: which of them are whose media is decided above"},
	{"proxy/transaction", "*", "the machines are (state, event, now) -> (state, actions): a simulator runs them without an edge"},
	{"proxy/wire", "*", "the reader knows offsets, not meaning"},
	{"proxy/transport", "*", "sockets carry bytes; who they belong to is decided above"},
	{"proxy", "proxy/lab", "the product does not contain its own test bench"},
	{"proxy", "policy/redisstore", "SIP never waits for Redis: the edge is handed a store and follows it from aside"},
	{"proxy/tap", "*", "what hands messages over knows neither who gives nor who takes"},
	{"migration/shadow/compare", "*", "a verdict is a pure function of two records: stored ones compare as living ones do"},
	{"migration/shadow/report", "*", "a report is drawn from counts and records; where they were kept is no business of its"},
	{"migration/shadow*", "proxy", "the mirror is handed messages by a tap: an edge never hangs on it, nor it on an edge's inside"},
	{"migration*", "proxy*", "migration knows edges as a struct of funcs: it must be usable against edges of another build"},
	{"migration/evidence", "*", "statistics are pure functions over counts"},
	{"*", "cmd*", "cmd is wiring: whoever needs something from it has found a package that is missing"},
}

func TestImportsPointDown(t *testing.T) {
	for _, p := range tree(t) {
		allowed, listed := table[p.path]
		if !listed {
			t.Errorf("%s is not in the import table of DESIGN.md: add a row to archtest/imports_test.go", p.path)
			continue
		}
		for _, f := range p.files {
			may := allowed
			if f.test {
				may = slices.Concat(allowed, testOnly[p.path], []string{p.path})
			}
			for _, imported := range f.ours {
				if !slices.Contains(may, imported) && !slices.Contains(may, "*") {
					t.Errorf("%s imports %s: %s", f.name, imported, reason(p.path, imported))
				}
			}
		}
	}
}

func TestPolicyIsStandardLibraryOnly(t *testing.T) {
	for _, p := range tree(t) {
		if p.path != "policy" {
			continue
		}
		for _, f := range p.files {
			if !f.test && len(f.foreign) > 0 {
				t.Errorf("%s imports %v: L0 is the standard library only", f.name, f.foreign)
			}
		}
	}
}

// The last day: `git rm -r legacy migration` and a few lines of wiring leave an edge that builds.
func TestDeletionTest(t *testing.T) {
	for _, p := range tree(t) {
		if under(p.path, "cmd/*") || under(p.path, "migration*") || under(p.path, "legacy*") {
			continue
		}
		for _, f := range p.files {
			for _, imported := range f.ours {
				if under(imported, "migration*") || under(imported, "legacy*") {
					t.Errorf("%s imports %s: only cmd may, or the last day takes the edge with it", f.name, imported)
				}
			}
		}
	}
}

// The table itself must hold what it is for: no cycle, and nothing that a reason forbids.
func TestTableIsSound(t *testing.T) {
	var visit func(path string, from []string)
	visit = func(path string, from []string) {
		if slices.Contains(from, path) {
			t.Fatalf("the table has a cycle: %s", strings.Join(append(from, path), " -> "))
		}
		for _, to := range table[path] {
			if to != "*" {
				visit(to, append(slices.Clone(from), path))
			}
		}
	}
	for path, list := range table {
		visit(path, nil)
		for _, to := range list {
			if _, known := table[to]; !known && to != "*" {
				t.Errorf("%s may import %s, which has no row", path, to)
			}
		}
	}
}

func reason(from, to string) string {
	for _, r := range reasons {
		if under(from, r.from) && under(to, r.to) {
			return r.why
		}
	}
	return "the import table of DESIGN.md has no such edge"
}

// under says whether path is pattern, or begins with it where pattern ends with "*".
func under(path, pattern string) bool {
	if prefix, open := strings.CutSuffix(pattern, "*"); open {
		return strings.HasPrefix(path, prefix)
	}
	return path == pattern
}
