package callrecord

// Media is how a call sounded, or sounds, as the relay measured it.
type Media struct {
	Outside MediaLeg `json:"outside"`          // what the phone or carrier sent
	Inside  MediaLeg `json:"inside"`           // what the platform sent
	Fax     bool     `json:"fax,omitempty"`    // T.38 was relayed
	Events  []string `json:"events,omitempty"` // in order: "no_lock LEG", "one_way LEG" (the party there was not heard), "no_media", "media" (it is back)
}

// MediaLeg is what one party sent, as it arrived, and what it was sent.
type MediaLeg struct {
	Codec     string  `json:"codec,omitempty"`
	Packets   uint64  `json:"packets"`
	Sent      uint64  `json:"sent"`                // to it
	Lost      int64   `json:"lost"`                // RFC 3550 A.3
	Loss      float64 `json:"loss"`                // per cent of what was expected
	Jitter    float64 `json:"jitter"`              // ms, RFC 3550 A.8
	MaxJitter float64 `json:"maxJitter"`           // ms
	RoundTrip float64 `json:"roundTrip,omitempty"` // ms between here and the party; 0: not measured
	MOS       float64 `json:"mos,omitempty"`       // ITU-T G.107, 1 to 4.5; 0: no evidence
	Assumed   string  `json:"assumed,omitempty"`   // what was not measured for it
	Dropped   uint64  `json:"dropped,omitempty"`   // packets that were not the party's, or could not go on
	Peer      string  `json:"peer,omitempty"`      // address:port that it sent from
}

// Worst is the leg that was heard less well, for a line with room for one; false if nothing was heard of either.
func (m *Media) Worst() (MediaLeg, bool) {
	a, b := m.Outside, m.Inside
	switch {
	case a.Packets == 0 && b.Packets == 0:
		return a, false
	case a.Packets == 0:
		return b, true
	case b.Packets == 0:
		return a, true
	case a.MOS != b.MOS && a.MOS > 0 && b.MOS > 0:
		if a.MOS < b.MOS {
			return a, true
		}
		return b, true
	case a.Loss >= b.Loss:
		return a, true
	}
	return b, true
}
