package config

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"time"
)

// maxSocketPath is what fits into a Linux sockaddr_un with its closing zero.
const maxSocketPath = 107

func (r *resolver) admin() {
	a := r.c.Admin
	switch {
	case a.Socket == "":
	case !filepath.IsAbs(a.Socket):
		r.fault("admin.socket", quote(a.Socket)+" is not an absolute path", "write a path such as /run/hotcut/edge.sock")
	case len(a.Socket) > maxSocketPath:
		r.fault("admin.socket", fmt.Sprintf("is %d bytes long", len(a.Socket)), fmt.Sprintf("write a path of at most %d bytes: the kernel takes no more", maxSocketPath))
	}
	if a.Metrics == "" {
		return
	}
	ap, err := netip.ParseAddrPort(a.Metrics)
	if err != nil {
		r.fault("admin.metrics", quote(a.Metrics)+" is not a numeric address with a port", "write ADDRESS:PORT, such as 127.0.0.1:9464 (port 0: any free one)")
		return
	}
	for _, l := range r.out.Listeners {
		if l.Proto == TCP && ap.Port() != 0 && l.Addr.Port() == ap.Port() && l.Addr.IsValid() && sameSocket(l.Addr.Addr(), ap.Addr()) {
			r.fault("admin.metrics", fmt.Sprintf("%s is already taken by the listener %s", ap, l.Name), "give it another port")
		}
	}
}

const (
	maxScanners = 64 // each is looked for in what unknown sources send
	minScanner  = 4  // bytes: less is part of too many names
	maxScanner  = 64
)

func (r *resolver) scanners() {
	if n := len(r.c.Scanners); n > maxScanners {
		r.fault("scanners", fmt.Sprintf("has %d names", n), fmt.Sprintf("keep the %d that matter", maxScanners))
	}
	for i, name := range r.c.Scanners {
		if len(name) < minScanner || len(name) > maxScanner {
			r.fault(fmt.Sprintf("scanners[%d]", i), fmt.Sprintf("%s is %d bytes long", quote(name), len(name)),
				fmt.Sprintf("write %d to %d bytes of the tool's User-Agent: what is shorter fits phones, too", minScanner, maxScanner))
		}
	}
}

// numbers: log, timers and limits.
func (r *resolver) numbers() {
	c := r.c
	r.oneOf("log.level", c.Log.Level, "debug, info, warn or error", "debug", "info", "warn", "error")
	r.oneOf("log.format", c.Log.Format, "json or text", "json", "text")

	t := c.Timers
	r.duration("timers.t1", t.T1, 10*time.Millisecond, 10*time.Second)
	r.duration("timers.t2", t.T2, t.T1, time.Minute)
	r.duration("timers.t4", t.T4, t.T1, time.Minute)
	if t.B != 0 {
		r.duration("timers.b", t.B, time.Second, 64*10*time.Second)
	}
	r.duration("timers.c", t.C, 3*time.Minute+time.Second, time.Hour) // RFC 3261 section 16.6 item 11: larger than 3 minutes
	r.duration("timers.probe", t.Probe, 100*time.Millisecond, 10*time.Minute)
	if t.Keepalive != 0 {
		r.duration("timers.keepalive", t.Keepalive, 5*time.Second, time.Hour)
	}
	r.duration("timers.drain", t.Drain, time.Second, 7*24*time.Hour)

	l := c.Limits
	for _, b := range []struct {
		key      string
		n        int64
		min, max int64
	}{
		{"message", int64(l.Message), 4 << 10, 64 << 10}, // 64 KiB is the receive buffer of a datagram
		{"headerSection", int64(l.HeaderSection), 1 << 10, int64(l.Message)},
		{"headers", int64(l.Headers), 16, 1024},
		{"callId", int64(l.CallID), 32, 1024},
		{"branch", int64(l.Branch), 64, 1024},
		{"tag", int64(l.Tag), 32, 1024},
		{"uri", int64(l.URI), 256, 8192},
		{"connections", int64(l.Connections), 1, 1 << 20},
		{"connectionsPerSource", int64(l.ConnectionsPerSource), 1, int64(l.Connections)},
		{"sources", int64(l.Sources), 1 << 10, 1 << 24},
		{"sourceRate", int64(l.SourceRate), 1, 1e6},
		{"sourceBurst", int64(l.SourceBurst), int64(l.SourceRate), 1e7},
		{"exemptRate", int64(l.ExemptRate), 1, 1e6},
		{"exemptBurst", int64(l.ExemptBurst), int64(l.ExemptRate), 1e7},
		{"knownRate", int64(l.KnownRate), int64(l.SourceRate), 1e7},
		{"knownBurst", int64(l.KnownBurst), int64(l.KnownRate), 1e8},
		{"transactions", int64(l.Transactions), 1 << 10, 1 << 24},
		{"choices", int64(l.Choices), 1 << 10, 1 << 24},
		{"dialogs", int64(l.Dialogs), 1 << 10, 1 << 24},
		{"bindings", int64(l.Bindings), 1 << 10, 1 << 24},
		{"callRecords", int64(l.CallRecords), 1 << 10, 1 << 24},
		{"callRecordBytes", l.CallRecordBytes, 1 << 20, 1 << 40},
	} {
		if b.n < b.min || b.n > b.max {
			r.fault("limits."+b.key, fmt.Sprintf("%d is out of range", b.n), fmt.Sprintf("write %d to %d", b.min, max(b.min, b.max)))
		}
	}
	r.duration("limits.wait", l.Wait, 10*time.Millisecond, 10*time.Second)
	r.powerOfTwo("limits.choices", l.Choices)
	r.powerOfTwo("limits.dialogs", l.Dialogs)
}

func (r *resolver) oneOf(path, s, words string, list ...string) {
	for _, w := range list {
		if s == w {
			return
		}
	}
	r.fault(path, quote(s)+" is no choice", "write "+words)
}

func (r *resolver) duration(path string, d, low, high time.Duration) {
	if d < low || d > high {
		r.fault(path, d.String()+" is out of range", fmt.Sprintf("write %s to %s", low, max(low, high)))
	}
}

func (r *resolver) powerOfTwo(path string, n int) {
	if n > 0 && n&(n-1) != 0 {
		r.fault(path, fmt.Sprintf("%d is not a power of two", n), "write 65536, 131072, 262144 and so on")
	}
}
