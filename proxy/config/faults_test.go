package config

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// One bad edit of the good file per case. `old` is replaced by `new`; an empty old appends a line.
var badEdits = []struct{ path, old, new, problem, fix string }{
	{"node", "node: edge-1", "node: Edge 1", `"Edge 1" is not a name`, "a-z, 0-9"},
	{"node", "node: edge-1", "node:", "is missing", "such as edge-1"},
	{"store", "redis://127.0.0.1:6379/0", "mysql://u:geheim@db", "no kind of store", "redis://HOST:PORT/DB"},
	{"store", "redis://127.0.0.1:6379/0", "\"redis:\"", "names no host", "redis://HOST:PORT/DB"},
	{"store", "redis://127.0.0.1:6379/0", "file://policy", "absolute path", "three slashes"},
	{"store", "redis://127.0.0.1:6379/0", "\"::\"", "not a URL", "redis://HOST:PORT/DB"},
	{"store", "redis://127.0.0.1:6379/0", "\"\"", "is missing", "file:///PATH"},
	{"data", "", "data: file:///var/x", "over Redis only", "redis://HOST:PORT/DB"},
	{"data", "", "data: mysql://u:geheim@db", "no kind of store", "redis://HOST:PORT/DB"},
	{"secrets", "", "secrets: /nowhere/ha1", "no such file", "ha1-md5:HEX"},
	{"secrets", "", "secrets: DIR", "is a directory", "ha1-md5:HEX"},
	{"names[1]", "192.0.2.10]", "\"sip:x\"]", "not a host", "without sip:"},
	{"names[1]", "192.0.2.10]", "\"x.example:5060\"]", "has a port", "host alone"},
	{"names[1]", "192.0.2.10]", "SIP.provider.example]", "stands twice", "remove one"},
	{"names", "[sip.provider.example, 192.0.2.10]", "{a: b}", "not a list", "[a, b]"},
	{"via", "via: edge.inside", "via: \"edge inside\"", "neither a host nor host:port", "such as edge.inside"},
	{"state", "state: DIR", "state: lib", "not an absolute path", "/var/lib/hotcut"},
	{"state", "state: DIR", "state: DIR/keys", "not a directory", "name a directory"},
	{"keys", "keys: DIR/keys", "keys: DIR/nothing", "no such file", "hotcut keys new"},
	{"keys", "keys: DIR/keys", "keys: \"\"", "no token keys", "hotcut keys new"},

	{"listen", "listen:\n", "listen: []\nx:\n", "is empty", "side: outside"},
	{"listen[0].name", "name: out-udp", "name: \"Out UDP\"", "is not a name", "a-z, 0-9"},
	{"listen[0].name", "name: out-udp, ", "", "is missing", "listen-1"},
	{"listen[1].name", "name: out-six", "name: out-udp", "also the name of entry 0", "of its own"},
	{"listen[0].side", "side: outside, transport", "side: left, transport", `"left" is no side`, "outside, inside, own or shadow"},
	{"listen[5].side", "side: own", "side: shadow", "there is no dark core", "add platforms.core.dark"},
	{"listen[5].transport", "side: own", "side: shadow, transport: tcp", "by UDP only", "write udp"},
	{"listen[5].address", "side: own, address: \"10.0.0.12:5070\"", "side: shadow, address: \"0.0.0.0:5070\"", "must be one address", "the dark core sends to"},
	{"listen[5].address", "side: own, address: \"10.0.0.12:5070\"", "side: shadow, address: \"10.0.0.10:5070\"", "already taken by in-udp", "another address"},
	{"listen[5].advertise", "side: own", "side: shadow, advertise: edge-1.sink", "is told the address", "remove it"},
	{"listen[5].readers", "side: own", "side: shadow, readers: 2", "one goroutine reads", "remove it"},
	{"listen[0].side", "side: outside, transport", "transport", "is missing", "outside (phones and carriers)"},
	{"listen[0].transport", "transport: udp", "transport: tls", "tls, which is not in this build", "udp or tcp"},
	{"listen[0].transport", "transport: udp", "transport: sctp", `"sctp", which is unknown`, "udp or tcp"},
	{"listen[0].address", `"192.0.2.10:5060"`, "192.0.2.10", "not a numeric address with a port", "ADDRESS:PORT"},
	{"listen[0].address", `"192.0.2.10:5060"`, "edge.example:5060", "not a numeric address", "ADDRESS:PORT"},
	{"listen[0].address", `"192.0.2.10:5060"`, `"192.0.2.10:0"`, "port 0", "such as 5060"},
	{"listen[0].address", `"192.0.2.10:5060"`, `"[::ffff:192.0.2.10]:5060"`, "IPv4 address in IPv6 form", "plain address"},
	{"listen[4].advertise", `"10.0.0.11:5070"`, `"0.0.0.0:5071"`, "every interface", "write the host"},
	{"listen[2].advertise", "advertise: edge-1.inside", "advertise: \"a b\"", "neither a host nor host:port", "such as 192.0.2.1"},
	{"listen[2].advertise", "advertise: edge-1.inside", "advertise: 0.0.0.0", "no address that anybody can send to", "of this machine"},
	{"listen[4].advertise", `"10.0.0.11:5070"`, `"10.0.0.11:5070", advertise: EDGE-1.inside`, "already advertised by in-udp", "of its own"},
	{"listen[0].readers", "readers: 2", "readers: 65", "65 is not possible", "1 to 64"},
	{"listen[3].readers", "transport: tcp,", "transport: tcp, readers: 2,", "tcp listener", "for udp"},
	{"listen[0].cert", "readers: 2", "cert: x, key: y", "no TLS listeners", "remove cert and key"},
	{"listen[0].key", "readers: 2", "key: y", "no TLS listeners", "remove cert and key"},
	{"listen", "listen:\n", "listen:\n  - {name: only, side: inside, address: \"10.0.0.1:5060\"}\nx:\n", "no listener with side: outside", "add one"},

	{"platforms.legacy.targets[0].name", "name: l1", "name: L1", "is not a name", "a-z, 0-9"},
	{"platforms.legacy.targets[1].name", "name: l2", "name: l1", "also the name of entry 0", "of its own"},
	{"platforms.legacy.targets[0].uri", `"sip:10.0.1.5:5060;transport=udp"`, "\"sip:pbx.example\"", "names are not resolved", "numeric address"},
	{"platforms.legacy.targets[0].uri", `"sip:10.0.1.5:5060;transport=udp"`, "\"sips:10.0.1.5\"", "needs TLS", "transport=udp or tcp"},
	{"platforms.legacy.targets[0].uri", `"sip:10.0.1.5:5060;transport=udp"`, "\"sip:10.0.1.5;transport=ws\"", "ws, which is not in this build", "transport=udp or tcp"},
	{"platforms.legacy.targets[0].uri", `"sip:10.0.1.5:5060;transport=udp"`, "\"sip:10.0.1.5;lr\"", `parameter "lr"`, "sip:ADDRESS:PORT"},
	{"platforms.legacy.targets[0].uri", `"sip:10.0.1.5:5060;transport=udp"`, "\"sip:u@10.0.1.5\"", "more than an address", "sip:ADDRESS:PORT"},
	{"platforms.legacy.targets[0].uri", `"sip:10.0.1.5:5060;transport=udp"`, "\"10.0.1.5\"", "no SIP URI", "sip:ADDRESS:PORT"},
	{"platforms.legacy.targets[0].uri", `"sip:10.0.1.5:5060;transport=udp"`, "\"tel:+1\"", `scheme "tel"`, "sip:ADDRESS:PORT"},
	{"platforms.legacy.targets[0].uri", `"sip:10.0.1.5:5060;transport=udp"`, "\"sip:10.0.1.999\"", "is not an address", "sip:ADDRESS:PORT"},
	{"platforms.legacy.targets[0].uri", `"sip:10.0.1.5:5060;transport=udp"`, "\"sip:0.0.0.0\"", "no address of one machine", "sip:ADDRESS:PORT"},
	{"platforms.legacy.targets[0].uri", `"sip:10.0.1.5:5060;transport=udp"`, "\"sip:10.0.0.10:5070\"", "our own listener in-udp", "the other machine"},
	{"platforms.legacy.targets[0].uri", `"sip:10.0.1.5:5060;transport=udp"`, "\"sip:[2001:db8::5]\"", "no listener of side inside", "transport: udp} with an IPv6"},
	{"platforms.legacy.targets[0].uri", `uri: "sip:10.0.1.5:5060;transport=udp", `, "", "is missing", "sip:ADDRESS:PORT"},
	{"platforms.legacy.targets[1].uri", `"sip:10.0.1.6"`, `"sip:10.0.1.5"`, "already the target l1 of legacy", "of its own"},
	{"platforms.core.targets[0].uri", `"sip:10.0.2.5;transport=tcp"`, `"sip:10.0.1.6"`, "already the target l2 of legacy", "of its own"},
	{"platforms.legacy.targets[0].pool", "pool: main", "pool: \"Main!\"", "is not a name", "a-z, 0-9"},
	{"platforms.legacy.targets[0].reach_back", "keep: none", "reach_back: via", "no choice", "path, or contact"},
	{"platforms.legacy.targets[0].keep", "keep: none", "keep: always", "no choice", "trust, digest or none"},
	{"platforms.legacy.targets[0].keep", "keep: none", "keep: digest", "needs secrets", "file of HA1s"},
	{"platforms.core.targets[0].keep", "sharedDialogs: true", "keep: trust", "needs a listener of side own over tcp", "side: own, transport: tcp"},
	{"platforms.legacy.targets[0].callid", "keep: none", "keep: digest, callid: phone", "phone needs keep: trust", "callid: own"},
	{"platforms.legacy.targets[0].callid", "keep: none", "callid: mine", "no choice", "own or phone"},
	{"platforms.legacy.targets[0].registerRate", "keep: none", "registerRate: -1", "out of range", "1 to 1000000"},
	{"platforms.legacy.targets[0].keepRate", "keep: none", "keepRate: 2000000", "out of range", "1 to 1000000"},
	{"timers.keepalive", "timers: {", "timers: {keepalive: 1s, ", "out of range", "5s to"},
	{"limits.bindings", "limits: {", "limits: {bindings: 1, ", "out of range", "1024 to"},
	{"platforms.legacy.targets[0].listsAll", "keep: none", "listsAll: perhaps", "neither true nor false", "true or false"},
	{"platforms.core.targets[0].listsAll", "sharedDialogs: true", "listsAll: 3", "neither true nor false", "true or false"},
	{"platforms.legacy.targets[1].timerB", "timerB: 4s", "timerB: 1ms", "out of range", "1s to 1m"},
	{"platforms.legacy.targets[1].timerB", "timerB: 4s", "timerB: 4", "4 has no unit", "10s"},
	{"platforms.legacy.targets[1].timerB", "timerB: 4s", "timerB: soon", "is not a duration", "10s"},
	{"platforms.legacy.targets[1].sharedDialogs", "timerB: 4s", "sharedDialogs: true", "differs from another target", "every target of the pool"},
	{"platforms.core.targets[0].sharedDialogs", "sharedDialogs: true", "sharedDialogs: perhaps", "neither true nor false", "true or false"},
	{"platforms.legacy.sources[0]", "sources: [10.0.1.0/24]", "sources: [10.0.1.1/24]", "the network is 10.0.1.0/24", "10.0.1.0/24"},
	{"platforms.legacy.sources[0]", "sources: [10.0.1.0/24]", "sources: [switch]", "names are not resolved", "ADDRESS:PORT"},
	{"platforms.legacy.sources[0]", "sources: [10.0.1.0/24]", "sources: [0.0.0.0/0]", "whole Internet", "networks"},
	{"platforms.core.sources[0]", "sources: [10.0.2.0/25", "sources: [10.0.1.128/25", "overlaps 10.0.1.0/24 of legacy", "by port"},
	{"platforms.core.sources", "    sources: [10.0.2.0/25, \"10.0.9.9:5080\"]\n", "    sources: 7\n", "not a list", "[a, b]"},
	{"platforms.legacy.listeners[0]", "sources: [10.0.1.0/24]", "listeners: [out-udp]", "no inside listener", "in-udp, in-tcp, in-ca"},
	{"platforms.legacy.mediaNets[0]", "sources: [10.0.1.0/24]", "mediaNets: [10.0.1.1/24]", "the network is 10.0.1.0/24", "10.0.1.0/24"},
	{"platforms.core.mediaNets[0]", "sources: [10.0.2.0/25", "mediaNets: [\"10.0.2.9:4000\"]\n    sources: [10.0.2.0/25", "names a port", "media ports change"},
	{"platforms.core.dark", "sources: [10.0.2.0/25", "dark: [{name: d1, uri: \"sip:10.0.2.200\"}]\n    sources: [10.0.2.0/25", "needs a listener with side: shadow", "add to listen: {name: sink, side: shadow"},
	{"platforms.legacy.dark", "sources: [10.0.1.0/24]", "dark: [{name: d1, uri: \"sip:10.0.2.200\"}]", "an instance of the core", "platforms.core.dark"},
	{"platforms.core.dark[0].build", "sources: [10.0.2.0/25", "dark: [{build: \"a b\"}]\n    sources: [10.0.2.0/25", "names no build", "letters, digits"},
	{"platforms.core.dark[0].name", "sources: [10.0.2.0/25", "dark: [{name: [1]}]\n    sources: [10.0.2.0/25", "not a text", "one value"},
	{"platforms.core.dark[0].uri", "sources: [10.0.2.0/25", "dark: [{uri: {}}]\n    sources: [10.0.2.0/25", "not a text", "one value"},
	{"platforms.core.dark[0].sink", "sources: [10.0.2.0/25", "dark: [{sink: {}}]\n    sources: [10.0.2.0/25", "not a text", "one value"},
	{"platforms.core.dark[0].sources", "sources: [10.0.2.0/25", "dark: [{sources: {}}]\n    sources: [10.0.2.0/25", "not a list", "[a, b]"},
	{"platforms.core.targets", "targets: [{name: c1, uri: \"sip:10.0.2.5;transport=tcp\", pool: cell-1, sharedDialogs: true}]", "targets: 7", "not a list", "[a, b]"},

	{"carriers", "carriers:\n", "carriers: {}\nx:\n", "not a list", "[a, b]"},
	{"carriers[0].name", "name: carrier-a", "name: Carrier", "is not a name", "a-z, 0-9"},
	{"carriers[0].uri", "sip:198.51.100.1", "sip:trunk.example", "names are not resolved", "numeric address"},
	{"carriers[0].uri", "sip:198.51.100.1", "sip:198.51.100.1;transport=tcp", "no listener of side outside", "transport: tcp}"},
	{"carriers[0].sources[0]", "198.51.100.0/28", "198.51.100.0/33", "is not a network", "ADDRESS:PORT"},
	{"carriers[1].sources[0]", "egress: in-ca}\n", "egress: in-ca}\n  - {name: b, uri: \"sip:203.0.113.1\", sources: [198.51.100.4]}\n", "overlaps 198.51.100.0/28 of carrier carrier-a", "one carrier"},
	{"carriers[0].trusted", "trusted: true", "trusted: 1", "neither true nor false", "true or false"},
	{"carriers[0].numberFormat", "national:44", "local", `"local" is no format`, "strip:N"},
	{"carriers[0].numberFormat", "national:44", "strip:0", "is no format", "strip:N"},
	{"carriers[0].egress", "egress: in-ca", "egress: in-cb", `"in-cb" is no inside listener`, "in-udp, in-tcp, in-ca"},
	{"carriers[1].egress", "egress: in-ca}\n", "egress: in-ca}\n  - {name: b, uri: \"sip:203.0.113.1\", egress: in-ca}\n", "already the egress of carrier-a", "of its own"},
	{"platforms.legacy.targets[0].uri", "egress: in-ca", "egress: in-udp}\n  - {name: b, uri: \"sip:203.0.113.1\", egress: in-ca", "no listener of side inside", "besides those that are a carrier's egress"},

	{"media.servers", "engine: none", "engine: ng", "has 0 servers", "such as 10.0.0.5:2223"},
	{"media.servers[0]", "engine: none", `engine: ng, servers: ["10.0.0.5:0"]`, "not where a server can be", "such as 10.0.0.5:2223"},
	{"media.servers[1]", "engine: none", `engine: ng, servers: ["10.0.0.5:2223", "10.0.0.5:2223"]`, "there twice", "remove one"},
	{"media.servers[0]", "engine: none", `engine: ng, servers: ["relay.example:2223"]`, "not a numeric address", "192.0.2.1:5060"},
	{"media.interfaces", "engine: none", `engine: ng, servers: ["10.0.0.5:2223"], interfaces: [pub]`, "has 1 names", "such as [pub, priv]"},
	{"media.wait", "engine: none", `engine: ng, servers: ["10.0.0.5:2223"], wait: 5s`, "out of range", "50ms to 1s"},
	{"media.inside", "engine: none", `engine: ng, servers: ["10.0.0.5:2223"], inside: 192.0.2.1`, "relays none", "write media.engine: embedded"},
	{"media.engine", "engine: none", "engine: magic", "no media engine", "write embedded"},
	{"media.outside", "engine: none", "engine: none, outside: 192.0.2.1", "relays none", "write media.engine: embedded"},
	{"media.inside", "engine: none", "engine: none, inside: 192.0.2.1", "relays none", "remove media.inside"},
	{"media.advertise", "engine: none", "engine: none, advertise: 192.0.2.1", "relays none", "remove media.advertise"},
	{"media.outside[0]", "engine: none", "engine: embedded, outside: relay.example", "no address that SDP can name", "numeric address"},
	{"media.outside[1]", "engine: none", "engine: embedded, outside: [192.0.2.1, 192.0.2.2]", "second one of its family", "keep one"},
	{"media.inside[0]", "engine: none", "engine: embedded, inside: [0.0.0.0]", "no address that SDP can name", "numeric address"},
	{"media.inside[2]", "engine: none", `engine: embedded, inside: [10.0.0.1, "2001:db8::1", 10.0.0.2]`, "second one of its family", "keep one"},
	{"media.advertise[0]", "engine: none", `engine: embedded, advertise: "2001:db8::1"`, "stands for no address of media.outside", "of its family"},
	{"media.advertise[1]", "engine: none", "engine: embedded, advertise: [203.0.113.1, 203.0.113.2]", "second one of its family", "keep one"},
	{"media.advertise[0]", "engine: none", "engine: embedded, outside: 10.0.0.10, advertise: 203.0.113.1", "also the inside's address", "of its own"},
	{"media.ports", "engine: none", "engine: none, ports: 1-2", "no range of ports", "20000-39999"},
	{"media.ports", "engine: none", "engine: embedded, ports: 20001-20004", "no range of ports", "20000-39999"},
	{"media.ports", "engine: none", "engine: embedded, ports: 5000-6000", "holds the port of listen[0], 192.0.2.10:5060", "another range"},
	{"media.servers", "engine: none", "engine: none, servers: [x]", "media.engine is none", "remove media.servers"},
	{"carriers[0].media", "egress: in-ca", "egress: in-ca, media: on", "is no choice", "write off"},
	{"admin.socket", "socket: DIR/edge.sock", "socket: edge.sock", "not an absolute path", "/run/hotcut/edge.sock"},
	{"admin.socket", "socket: DIR/edge.sock", "socket: /" + strings.Repeat("x", 107), "108 bytes long", "at most 107"},
	{"admin.metrics", `metrics: "127.0.0.1:0"`, "metrics: localhost", "not a numeric address", "127.0.0.1:9464"},
	{"admin.metrics", `metrics: "127.0.0.1:0"`, `metrics: "10.0.0.10:5070"`, "taken by the listener in-tcp", "another port"},

	{"limits.message", "headers: 64", "message: 65537", "65537 is out of range", "4096 to 65536"},
	{"limits.headerSection", "headers: 64", "headerSection: 0", "out of range", "1024 to"},
	{"limits.headers", "headers: 64", "headers: many", "not a whole number", "digits only"},
	{"limits.headers", "headers: 64", "headers: 6.5", "not a whole number", "digits only"},
	{"limits.headers", "headers: 64", "headers: -1", "out of range", "16 to 1024"},
	{"limits.callId", "headers: 64", "callId: 1", "out of range", "32 to"},
	{"limits.branch", "headers: 64", "branch: 1", "out of range", "64 to"},
	{"limits.tag", "headers: 64", "tag: 1", "out of range", "32 to"},
	{"limits.uri", "headers: 64", "uri: 1", "out of range", "256 to"},
	{"limits.connections", "headers: 64", "connections: 0", "out of range", "1 to"},
	{"limits.connectionsPerSource", "headers: 64", "connectionsPerSource: 5000", "out of range", "1 to 4096"},
	{"limits.sources", "headers: 64", "sources: 1", "out of range", "1024 to"},
	{"limits.sourceRate", "headers: 64", "sourceRate: 0", "out of range", "1 to"},
	{"limits.sourceBurst", "headers: 64", "sourceBurst: 1", "out of range", "20 to"},
	{"limits.exemptRate", "headers: 64", "exemptRate: 0", "out of range", "1 to"},
	{"limits.exemptBurst", "headers: 64", "exemptBurst: 1", "out of range", "40 to"},
	{"limits.knownRate", "headers: 64", "knownRate: 1", "out of range", "20 to"},
	{"limits.knownBurst", "headers: 64", "knownBurst: 1", "out of range", "20000 to"},
	{"limits.wait", "headers: 64", "wait: 1ms", "out of range", "10ms to 10s"},
	{"limits.transactions", "headers: 64", "transactions: 1", "out of range", "1024 to"},
	{"limits.choices", "headers: 64", "choices: 100000", "not a power of two", "131072"},
	{"limits.dialogs", "headers: 64", "dialogs: 100000", "not a power of two", "131072"},
	{"limits.callRecords", "headers: 64", "callRecords: 1", "out of range", "1024 to"},
	{"limits.callRecordBytes", "headers: 64", "callRecordBytes: 1", "out of range", "1048576 to"},
	{"limits", "limits: {headers: 64}", "limits: [1]", "not a section", "indented"},

	{"timers.t1", "t1: 250ms", "t1: 1ms", "out of range", "10ms to 10s"},
	{"timers.t2", "t1: 250ms", "t2: 1ms", "out of range", "500ms to"},
	{"timers.t4", "t1: 250ms", "t4: 1ms", "out of range", "500ms to"},
	{"timers.b", "t1: 250ms", "b: 1ms", "out of range", "1s to"},
	{"timers.c", "t1: 250ms", "c: 3m", "out of range", "3m1s to"},
	{"timers.probe", "t1: 250ms", "probe: 1ms", "out of range", "100ms to"},
	{"timers.drain", "t1: 250ms", "drain: 0s", "out of range", "1s to"},
	{"bootDefault", "bootDefault: legacy", "bootDefault: core", "whom no policy ever moved", "none or legacy"},
	{"bootDefault", "bootDefault: legacy", "bootDefault: maybe", "no choice", "legacy"},
	{"log.level", "level: debug", "level: loud", `"loud" is no choice`, "debug, info, warn or error"},
	{"log.format", "format: text", "format: xml", `"xml" is no choice`, "json or text"},
	{"scanners[1]", "", "scanners: [sipvicious, sip]", "3 bytes long", "4 to 64 bytes"},
	{"scanners", "", "scanners: {a: b}", "not a list", "[a, b]"},
	{"logNumbers", "logNumbers: false", "logNumbers: some", "neither true nor false", "true or false"},

	{"nodes", "node: edge-1", "node: edge-1\nnodes: 2", "not a key", "did you mean node?"},
	{"listen[0].adress", "address: \"192.0.2.10:5060\"", "address: \"192.0.2.10:5060\", adress: x", "not a key", "did you mean listen[0].address?"},
	{"admin.sokcet", "socket: DIR", "sokcet: DIR", "not a key", "did you mean admin.socket?"},
}

func TestEveryBadFieldIsNamed(t *testing.T) {
	covered := make(map[string]bool)
	for _, c := range badEdits {
		covered[regexp.MustCompile(`\[\d+\]`).ReplaceAllString(c.path, "[]")] = true
		t.Run(c.path, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "keys"), []byte(MintKeyLine()), 0o600); err != nil {
				t.Fatal(err)
			}
			file := goodYAML + c.new + "\n"
			if c.old != "" {
				file = strings.Replace(goodYAML, c.old, c.new, 1)
			}
			if file == goodYAML {
				t.Fatalf("%q does not stand in the good file", c.old)
			}
			file = strings.ReplaceAll(file, "DIR", dir)
			_, err := ParseYAML([]byte(file))
			for _, f := range Faults(err) {
				if f.Path == c.path && strings.Contains(f.Problem, c.problem) && strings.Contains(f.Fix, c.fix) && f.Line > 0 {
					return
				}
			}
			t.Errorf("wanted %s: ...%s...; ...%s..., got\n%v", c.path, c.problem, c.fix, err)
		})
	}
	for _, p := range leaves("", reflect.TypeFor[Config]()) {
		if !covered[p] && !covered[p+"[]"] && !covered[strings.Replace(p, "platforms.core", "platforms.legacy", 1)] &&
			!covered[strings.Replace(p, "platforms.legacy", "platforms.core", 1)] && !covered[strings.Replace(p, "platforms.core", "platforms.legacy", 1)+"[]"] {
			t.Errorf("no case for the field %s", p)
		}
	}
}

// leaves lists every field that is no section, lists of sections included: "listen[].address".
func leaves(path string, typ reflect.Type) []string {
	var out []string
	for i := range typ.NumField() {
		f := typ.Field(i)
		p := dot(path, f.Tag.Get("mapstructure"))
		switch {
		case f.Type.Kind() == reflect.Struct:
			out = append(out, leaves(p, f.Type)...)
		case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct:
			out = append(out, p)
			out = append(out, leaves(p+"[]", f.Type.Elem())...)
		default:
			out = append(out, p)
		}
	}
	return out
}

// Faults come all at once, in the order of the file, each with its line; a missing key has the line of its section.
func TestAllFaultsWithTheirLines(t *testing.T) {
	file := `node: edge-1
names: [x, x]
keys: /nowhere
listen:
  - name: a
    side: outside
    address: nonsense
  - name: b
    side: inside
medai: {}
`
	_, err := ParseYAML([]byte(file))
	var got []string
	for _, f := range Faults(err) {
		got = append(got, strings.Join([]string{f.Path, string(rune('0' + f.Line/10)), string(rune('0' + f.Line%10))}, " "))
	}
	want := "platforms 0 0, names[1] 0 2, keys 0 3, listen[0].address 0 7, listen[1].address 0 8, medai 1 0"
	if strings.Join(got, ", ") != want {
		t.Errorf("got  %s\nwant %s\n%v", strings.Join(got, ", "), want, err)
	}
	if !strings.HasPrefix(err.Error(), "platforms: have no target at all; add") || !strings.Contains(err.Error(), "\nline 2: names[1]: ") {
		t.Errorf("as printed:\n%v", err)
	}
}

func TestNotYAML(t *testing.T) {
	for _, file := range []string{"node: [", "- a\n", "node: a\nnode: b\n", "\x00"} {
		if _, err := ParseYAML([]byte(file)); err == nil || !strings.Contains(err.Error(), "YAML") {
			t.Errorf("%q: %v", file, err)
		}
	}
}

// A password in the store's URL and a key never reach an error.
func TestErrorsKeepSecrets(t *testing.T) {
	secret := "Z2VoZWltZ2VoZWltZ2VoZWlt"
	c := Defaults()
	c.Store = "mysql://user:" + secret + "@host"
	c.Keys = "id " + secret
	if err := c.Validate(); err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("%v", err)
	}
	path := filepath.Join(t.TempDir(), "keys")
	os.WriteFile(path, []byte("id "+secret+"\n"), 0o600)
	if _, err := LoadKeys(path); err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("%v", err)
	}
}
