package config

import (
	"cmp"
	"fmt"
	"strings"
)

// registrations: how a target reaches phones, and how it takes REGISTERs of ours.
func (r *resolver) registrations(path string, t *Target, hop *NextHop) {
	hop.ReachBack, hop.Keep, hop.CallID = cmp.Or(t.ReachBack, "path"), cmp.Or(t.Keep, "none"), cmp.Or(t.CallID, "own")
	hop.ListsAll, hop.RegisterRate, hop.KeepRate = t.ListsAll, cmp.Or(t.RegisterRate, 1000), cmp.Or(t.KeepRate, 200)
	r.oneOf(path+".reach_back", hop.ReachBack, "path, or contact where the target does not do Path (RFC 3327); `hotcut doctor` tells", "path", "contact")
	r.oneOf(path+".keep", hop.Keep, "trust, digest or none", "trust", "digest", "none")
	r.oneOf(path+".callid", hop.CallID, "own or phone; `hotcut doctor` tells", "own", "phone")
	for key, n := range map[string]int{".registerRate": hop.RegisterRate, ".keepRate": hop.KeepRate} {
		if n < 1 || n > 1e6 {
			r.fault(path+key, fmt.Sprintf("%d is out of range", n), "write 1 to 1000000 a second, or leave it out")
		}
	}
	if hop.Keep == "none" {
		return
	}
	if hop.CallID == "phone" && hop.Keep == "digest" {
		r.fault(path+".callid", "phone needs keep: trust: a challenge would cost the phone's CSeq", "write keep: trust, or callid: own")
	}
	if hop.Keep == "digest" && r.c.Secrets == "" {
		r.fault(path+".keep", "digest needs secrets to answer with", "write secrets: the file of HA1s, or keep: none")
	}
	if hop.Addr.IsValid() && !r.ownListener(hop) {
		r.fault(path+".keep", fmt.Sprintf("needs a listener of side own over %s for addresses such as %s", hop.Proto, hop.Addr.Addr()),
			"add one to listen: {name: own, side: own, transport: "+string(hop.Proto)+", address: \"ADDRESS:PORT\"}")
	}
}

func (r *resolver) ownListener(hop *NextHop) bool {
	for _, l := range r.out.Listeners {
		if l.Side == Own && l.Proto == hop.Proto && l.Addr.Addr().Is4() == hop.Addr.Addr().Is4() {
			return true
		}
	}
	return false
}

// data: where bindings are shared. A policy in files is shared with nobody, and neither are they.
func (r *resolver) data() {
	url := r.c.Data
	if url == "" {
		if !strings.HasPrefix(r.c.Store, "file:") {
			r.out.Data = r.c.Store
		}
		return
	}
	if strings.HasPrefix(url, "file:") {
		r.fault("data", "bindings are shared over Redis only", "write redis://HOST:PORT/DB, or leave it out: what this edge knows is on its own disk anyway")
		return
	}
	r.store("data", url)
	r.out.Data = url
}
