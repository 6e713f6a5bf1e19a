package record

import "time"

// A Profile is what is known of two platforms before the first call: which of their habits mean the same.
type Profile struct {
	Name string `json:"name"`
	// Country is the calling code of the tenant ("49"), for numbers without one.
	Country string `json:"country,omitempty"`
	// Equal are pairs of status codes that mean the same; nil: DefaultEqual. The class of the second is that of the first.
	Equal [][2]int `json:"equal,omitempty"`
	// Users of the Request-URI that lead to voicemail or to a parking place, beside those that everybody has
	// ("voicemail", "vm", "park" and what begins with them).
	Voicemail []string `json:"voicemail,omitempty"`
	Park      []string `json:"park,omitempty"`
	Hours     *Hours   `json:"hours,omitempty"` // nil: the tenant never closes
}

// DefaultEqual are the codes that platforms of all makes use for one another.
var DefaultEqual = [][2]int{{480, 408}, {486, 600}, {503, 500}, {404, 604}}

// Hours are a tenant's opening hours: calls outside of them have the feature FeatureAfterHours.
type Hours struct {
	Zone  string `json:"zone"`  // IANA name, such as "Europe/Berlin"; "": UTC
	Open  [7]int `json:"open"`  // minutes after midnight, by time.Weekday (Sunday is 0)
	Close [7]int `json:"close"` // not after Open: closed all day
}

// class is the class of a code: that of the first of its pair, if it is the second.
func (p *Profile) class(code int, cancelled bool) Class {
	equal := p.Equal
	if equal == nil {
		equal = DefaultEqual
	}
	for _, pair := range equal {
		if pair[1] == code {
			return class(pair[0], cancelled)
		}
	}
	return class(code, cancelled)
}

// closed reports whether the tenant is closed at a time. ok is false for a zone that nobody knows.
func (h *Hours) closed(at time.Time) (closed, ok bool) {
	zone, err := time.LoadLocation(h.Zone)
	if err != nil {
		return false, false
	}
	at = at.In(zone)
	minute, day := at.Hour()*60+at.Minute(), at.Weekday()
	return minute < h.Open[day] || minute >= h.Close[day], true
}
