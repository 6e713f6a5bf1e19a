package lab

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"text/template"
	"time"
)

// EdgeOptions say where an edge stands. Its ports are free ones of IP.
type EdgeOptions struct {
	Name   string         // node name
	IP     netip.Addr     // own address
	Dir    string         // its folder: configuration, state, admin socket, log
	Store  string         // URL of the policy store
	Keys   string         // file of token keys, the same for all edges
	Legacy netip.AddrPort // the legacy switch, reached by UDP
	Core   netip.AddrPort // the new core, reached by TCP
	Dark   netip.AddrPort // an instance of the core that gets copies of calls; none without Shadow
	Shadow netip.Addr     // address by which copies leave, and to which all must come that the dark core sends

	// Own is the address by which the edge sends requests of its own, over UDP and TCP: what switches trust. None without.
	Own          netip.Addr
	LegacyTarget TargetOptions
	CoreTarget   TargetOptions
	Data         string        // URL of the Redis that shares bindings; empty: as the configuration's default has it
	Secrets      string        // file of what keep: digest answers with
	Keepalive    time.Duration // between two pings to a phone; 0: as the configuration's default has it
}

// TargetOptions say how a target takes registrations. What is empty is not written: the configuration's defaults hold.
type TargetOptions struct {
	ReachBack string // "path" or "contact"
	Keep      string // "trust", "digest" or "none"; empty: none
	CallID    string // "own" or "phone"
	ListsAll  bool   // its 2xx lists all contacts of the address-of-record
}

// edgeFile is the configuration of an edge of the lab: what an operator would write, with loopback addresses. The
// limits are those of a machine that one person watches; per-source budgets are raised since all phones of the lab
// share one address.
var edgeFile = template.Must(template.New("edge").Parse(`# Written by hotcut lab.
node: {{.Name}}
store: {{.Store}}
names: [{{.IP}}]
state: {{.Dir}}/state
keys: {{.Keys}}
{{- if .Data}}
data: {{.Data}}
{{- end}}
{{- if .Secrets}}
secrets: {{.Secrets}}
{{- end}}
{{- if .Keepalive}}
timers: {keepalive: {{.Keepalive}}}
{{- end}}
listen:
  - {name: out-udp, side: outside, transport: udp, address: "{{.Outside}}"}
  - {name: out-tcp, side: outside, transport: tcp, address: "{{.Outside}}"}
  - {name: in-udp, side: inside, transport: udp, address: "{{.Inside}}"}
  - {name: in-tcp, side: inside, transport: tcp, address: "{{.Inside}}"}
{{- if .Own.IsValid}}
  - {name: own-udp, side: own, transport: udp, address: "{{.OwnAt}}"}
  - {name: own-tcp, side: own, transport: tcp, address: "{{.OwnAt}}"}
{{- end}}
{{- if .Shadow.IsValid}}
  - {name: sink, side: shadow, transport: udp, address: "{{.SinkAt}}"}
{{- end}}
platforms:
  legacy:
    targets: [{name: legacy-1, uri: "sip:{{.Legacy}};transport=udp", pool: main, {{.LegacyTarget}}}]
    sources: [{{.Legacy.Addr}}/32]
  core:
    targets: [{name: core-1, uri: "sip:{{.Core}};transport=tcp", pool: main, {{.CoreTarget}}}]
    sources: [{{.Core.Addr}}/32]
{{- if .Shadow.IsValid}}
    dark: [{name: dark-1, uri: "sip:{{.Dark}}"}]
{{- end}}
media: {engine: embedded, ports: 20000-31999}
admin: {socket: {{.Dir}}/edge.sock, metrics: "{{.Metrics}}"}
limits:
  connectionsPerSource: 512
  sourceRate: 500
  sourceBurst: 1000
  wait: 10s
  transactions: 4096
  choices: 4096
  dialogs: 4096
  callRecords: 4096
  callRecordBytes: 8388608
`))

// String is the options as the keys of a target.
func (t TargetOptions) String() string {
	keys := "keep: " + cmp.Or(t.Keep, "none")
	if t.ReachBack != "" {
		keys += ", reach_back: " + t.ReachBack
	}
	if t.CallID != "" {
		keys += ", callid: " + t.CallID
	}
	if t.ListsAll {
		keys += ", listsAll: true"
	}
	return keys
}

// layout is an edge's file and the addresses in it.
type layout struct {
	EdgeOptions
	Outside, Inside, Metrics, OwnAt, SinkAt netip.AddrPort
}

// writeEdgeFile chooses ports and writes the configuration into the edge's folder.
func writeEdgeFile(o EdgeOptions) (layout, string, error) {
	l := layout{EdgeOptions: o}
	for _, ip := range []netip.Addr{o.IP, o.Own, o.Shadow} {
		if ip.IsValid() && !ip.IsLoopback() || !o.IP.IsValid() {
			return l, "", fmt.Errorf("lab: %s is not a loopback address", ip)
		}
	}
	var held []func() error // all are held until all are known, or one could be handed out twice
	for at, ip := range map[*netip.AddrPort]netip.Addr{&l.Outside: o.IP, &l.Inside: o.IP, &l.Metrics: o.IP, &l.OwnAt: o.Own, &l.SinkAt: o.Shadow} {
		if !ip.IsValid() {
			continue
		}
		udp, tcp, err := listenBoth(ip)
		if err != nil {
			return l, "", errors.Join(err, release(held))
		}
		held = append(held, udp.Close, tcp.Close)
		*at = netip.MustParseAddrPort(tcp.Addr().String())
	}
	if err := release(held); err != nil {
		return l, "", err
	}
	if err := os.MkdirAll(filepath.Join(o.Dir, "state"), 0o700); err != nil {
		return l, "", fmt.Errorf("lab: folder of %s: %w", o.Name, err)
	}
	var b bytes.Buffer
	if err := edgeFile.Execute(&b, l); err != nil {
		return l, "", fmt.Errorf("lab: configuration of %s: %w", o.Name, err)
	}
	file := filepath.Join(o.Dir, "edge.yaml")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		return l, "", fmt.Errorf("lab: configuration of %s: %w", o.Name, err)
	}
	return l, file, nil
}

func release(held []func() error) error {
	var errs []error
	for _, free := range held {
		errs = append(errs, free())
	}
	return errors.Join(errs...)
}
