package main

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hotcut/hotcut/proxy/lab"
)

var darkIP = netip.MustParseAddr("127.77.0.3")

// dark starts a switch that stands for the dark core, and writes it into the configuration of an edge: dark EDGE
func dark(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: dark EDGE")
	}
	w := worldOf(ts)
	s, err := lab.NewSwitch(lab.SwitchOptions{Platform: "core", Server: "dark", IP: darkIP})
	ts.Check(err)
	w.running.Go(func() { _ = s.Run(w.life) }) // ends with the script; what it could not do the script sees
	free, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 77, 1, byte(darkSinks.Add(1))}), 0)))
	ts.Check(err)
	sink := free.LocalAddr()
	ts.Check(free.Close()) // nobody else takes ports of that address
	file := ts.MkAbs(filepath.Join(args[0], "edge.yaml"))
	b, err := os.ReadFile(file)
	ts.Check(err)
	text := strings.Replace(string(b), "\nplatforms:", "\n  - {name: sink, side: shadow, transport: udp, address: \""+sink.String()+"\"}\nplatforms:", 1)
	text = strings.Replace(text, "    sources: ["+coreIP.String()+"/32]",
		"    sources: ["+coreIP.String()+"/32]\n    dark: [{name: d1, uri: \"sip:"+s.Addr().String()+"\", build: \"2.4.1\"}]", 1)
	ts.Check(os.WriteFile(file, []byte(text), 0o600))
}

var darkSinks atomic.Uint32

// until runs hotcut until its stdout has what is looked for: until REGEXP ARGS...
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until REGEXP ARGS...")
	}
	want := regexp.MustCompile("(?m)" + args[0])
	for end := time.Now().Add(90 * time.Second); ; {
		err := ts.Exec("hotcut", args[1:]...)
		if err == nil && want.MatchString(ts.ReadFile("stdout")) {
			return
		}
		select {
		case <-worldOf(ts).life.Done():
		case <-time.After(100 * time.Millisecond):
		}
		if time.Now().After(end) {
			ts.Fatalf("no %s in what hotcut %s prints", args[0], strings.Join(args[1:], " "))
		}
	}
}

// lines waits until a file has so many lines: lines N FILE
func lines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: lines N FILE")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	for end := time.Now().Add(90 * time.Second); ; {
		b, err := os.ReadFile(ts.MkAbs(args[1]))
		n := strings.Count(string(b), "\n")
		if err == nil && n >= want {
			return
		}
		select {
		case <-worldOf(ts).life.Done():
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(end) {
			ts.Fatalf("%s has %d lines, want %d", args[1], n, want)
		}
	}
}
