package proxy

import (
	"github.com/hotcut/hotcut/proxy/wire"
)

// voice is whose words a message carries, and to whom.
type voice struct {
	trusted   bool // the speaker's assertions of identity are believed
	inside    bool // the speaker is a platform, or an edge that speaks for one
	toForeign bool // the listener is an outside that we do not trust
}

// strip removes what the sender may not say of itself: every copy, in every case and compact form (wire names the
// header, however it is spelled).
//
//	phone, anybody   P-Asserted-Identity, Remote-Party-ID, P-Charge-Info, X-Hotcut-*
//	PBX trunk        the same, unless its tenant trusts it
//	carrier          the same, unless it is marked trusted
//	platform, edge   nothing
//
// P-Preferred-Identity and Identity pass. Towards an outside that is not trusted, Privacy: id takes the asserted
// identity away (RFC 3325 section 7).
//
// Responses are words of the side that answers, and stripped as its requests are.
func strip(sp *wire.Splice, m *wire.Message, v voice) {
	private := v.toForeign && wantsPrivacy(m)
	for i := range m.Headers {
		switch m.Headers[i].ID {
		case wire.HXHotcut:
			if !v.inside || v.toForeign {
				sp.DeleteHeader(i)
			}
		case wire.HPAI:
			if !v.trusted || private {
				sp.DeleteHeader(i)
			}
		case wire.HRPID, wire.HPChargeInfo:
			if !v.trusted {
				sp.DeleteHeader(i)
			}
		}
	}
}

// wantsPrivacy: a Privacy header with the value id.
func wantsPrivacy(m *wire.Message) bool {
	for i := range m.Headers {
		if m.Headers[i].ID != wire.HPrivacy {
			continue
		}
		v := m.Headers[i].Value.Of(m.Raw)
		for len(v) > 0 {
			n := 0
			for n < len(v) && v[n] != ';' && v[n] != ',' {
				n++
			}
			if wire.EqualFold(trim(v[:n]), "id") {
				return true
			}
			v = v[min(n+1, len(v)):]
		}
	}
	return false
}

func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}
