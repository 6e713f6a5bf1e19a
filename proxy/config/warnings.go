package config

import "fmt"

// Warnings lists what is allowed and yet rarely meant. It expects a Config that Validate accepts.
func (c *Config) Warnings() []string {
	var out []string
	for _, p := range []struct {
		name string
		*Platform
	}{{"legacy", &c.Platforms.Legacy}, {"core", &c.Platforms.Core}} {
		if len(p.Targets) == 0 {
			out = append(out, fmt.Sprintf("platforms.%s has no targets: whom the policy puts there is answered 503", p.name))
		}
	}
	if c.Media.Engine == "none" {
		if len(c.Platforms.Legacy.MediaNets)+len(c.Platforms.Core.MediaNets) > 0 {
			out = append(out, "platforms.*.mediaNets mean nothing while media.engine is none")
		}
		for i, k := range c.Carriers {
			if k.Media != "" {
				out = append(out, fmt.Sprintf("carriers[%d].media means nothing while media.engine is none", i))
			}
		}
	}
	for i, k := range c.Carriers {
		if k.Egress == "" {
			out = append(out, fmt.Sprintf("carriers[%d].egress is empty: platforms that tell trunks apart by source can not tell %s from the rest", i, k.Name))
		}
	}
	own := false
	for _, l := range c.Listen {
		own = own || l.Side == Own
	}
	if !own {
		out = append(out, "listen has no side: own: our OPTIONS probes leave by an inside listener, where a platform may take them for a trunk's")
	}
	if c.LogNumbers {
		out = append(out, "logNumbers is on: the log holds whole telephone numbers")
	}
	return out
}
