package policy

// Media says how the calls of a tenant are relayed where an edge relays media. The zero value is right for nearly all.
type Media struct {
	Anchor  string `json:"anchor,omitempty"`  // "off": its calls' SDP passes untouched, and their quality is not measured
	Latch   string `json:"latch,omitempty"`   // "loose": its phones' media may come from any address (pools of carrier-grade NAT)
	Refused string `json:"refused,omitempty"` // "pass": SDP that the relay refuses goes on as it came; empty: 488
}

// Off: SDP passes untouched.
func (m Media) Off() bool { return m.Anchor == mediaOff }

// Loose: media may come from any address.
func (m Media) Loose() bool { return m.Latch == "loose" }

// PassRefused: what the relay refuses goes on as it came.
func (m Media) PassRefused() bool { return m.Refused == "pass" }

// Anchored: calls with this trunk are relayed, if the tenant's are.
func (k *Trunk) Anchored() bool { return k.Media != mediaOff }

const mediaOff = "off"

func (m Media) check(f *faults) {
	one := func(field, value, word, meaning string) {
		if value != "" && value != word {
			f.add("media."+field, value, "is no choice", "write "+word+" "+meaning+", or leave it out")
		}
	}
	one("anchor", m.Anchor, mediaOff, "to let SDP pass untouched")
	one("latch", m.Latch, "loose", "to take media from any address")
	one("refused", m.Refused, "pass", "to let SDP that the relay refuses go on as it came")
}
