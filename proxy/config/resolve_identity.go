package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// identity: who this edge is and where it keeps things.
func (r *resolver) identity() {
	c := r.c
	switch {
	case c.Node == "":
		r.fault("node", "is missing", "write a name that no other edge has, such as edge-1")
	case !validName(c.Node):
		r.fault("node", quote(c.Node)+" is not a name", "use 1 to 63 of a-z, 0-9, - and .")
	}
	r.store("store", c.Store)
	r.data()
	if c.Secrets != "" {
		if fi, err := os.Stat(c.Secrets); err != nil {
			r.fault("secrets", err.Error(), "write the path of a file with lines of USER@DOMAIN REALM ha1-md5:HEX")
		} else if fi.IsDir() {
			r.fault("secrets", quote(c.Secrets)+" is a directory", "name a file with lines of USER@DOMAIN REALM ha1-md5:HEX")
		}
	}
	if !filepath.IsAbs(c.State) {
		r.fault("state", quote(c.State)+" is not an absolute path", "write a directory such as /var/lib/hotcut")
	} else if fi, err := os.Stat(c.State); err == nil && !fi.IsDir() {
		r.fault("state", quote(c.State)+" is not a directory", "name a directory; it is made if it does not exist")
	}
	if _, err := LoadKeys(c.Keys); err != nil {
		r.fault("keys", err.Error(), "write the path of a file with lines of KID BASE64; `hotcut keys new` prints one")
	}
	if c.Via != "" {
		host, port, ok := splitHost(c.Via)
		if !ok {
			r.fault("via", quote(c.Via)+" is neither a host nor host:port", "write the inside name that all edges share, such as edge.inside")
		}
		r.out.ViaHost, r.out.ViaPort = host, port
	}
	switch c.BootDefault {
	case "none", "legacy":
	case "core":
		r.fault("bootDefault", "core would serve callers whom no policy ever moved", "write none or legacy, and set the policy's default once it exists")
	default:
		r.fault("bootDefault", quote(c.BootDefault)+" is no choice", "write none (answer 503) or legacy")
	}
}

var storeSchemes = []string{"redis", "rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster", "file"}

// store judges a URL without quoting it: it may hold a password.
func (r *resolver) store(path, s string) {
	const fix = "write redis://HOST:PORT/DB, rediss://, redis+sentinel://, redis+cluster:// or file:///PATH"
	u, err := url.Parse(s)
	switch {
	case s == "":
		r.fault(path, "is missing", fix)
	case err != nil || u.Scheme == "":
		r.fault(path, "is not a URL", fix)
	case u.Scheme == "file" && (u.Host != "" || !filepath.IsAbs(u.Path)):
		r.fault(path, "file: needs an absolute path and no host", "write file:///PATH with three slashes")
	case u.Scheme == "file":
	case !slices.Contains(storeSchemes, u.Scheme):
		r.fault(path, quote(u.Scheme)+" is no kind of store", fix)
	case u.Host == "":
		r.fault(path, "names no host", fix)
	}
}

// names: every host that means us, and every host:port that we listen on or advertise.
func (r *resolver) names() {
	for i, n := range r.c.Names {
		path := fmt.Sprintf("names[%d]", i)
		host, port, ok := splitHost(n)
		switch {
		case !ok:
			r.fault(path, quote(n)+" is not a host", "write a name or an address that phones use, without sip: and without a port")
			continue
		case port != 0:
			r.fault(path, quote(n)+" has a port", "write the host alone: every port of ours is meant")
		}
		host = strings.ToLower(strings.TrimSuffix(host, "."))
		if _, twice := r.out.Names[host]; twice {
			r.fault(path, quote(n)+" stands twice", "remove one")
		}
		r.out.Names[host] = struct{}{}
	}
	for _, l := range r.out.Listeners {
		if l.Advertise != "" {
			r.out.Addresses[strings.ToLower(l.Advertise)] = struct{}{}
		}
		if l.Addr.IsValid() && !l.Addr.Addr().IsUnspecified() {
			r.out.Addresses[l.Addr.String()] = struct{}{}
		}
	}
}

// ours holds when addr is one of our own listeners: sending there is a loop.
func (r *resolver) ours(proto Proto, addr netip.AddrPort) (string, bool) {
	for _, l := range slices.Concat(r.out.Listeners, r.out.Shadow) {
		if l.Proto == proto && l.Addr == addr {
			return l.Name, true
		}
	}
	return "", false
}
