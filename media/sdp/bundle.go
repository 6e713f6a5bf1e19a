package sdp

import "bytes"

// joinBundles tells each media which bundle group names it (RFC 8843); of several, the first.
func (d *Description) joinBundles() Fault {
	groups := 0
	for i, a := range d.Attributes {
		if a.Kind != AttrGroup || a.Media >= 0 {
			continue
		}
		rest := a.Value
		if string(word(d.Raw, &rest).Of(d.Raw)) != "BUNDLE" {
			continue
		}
		if groups++; groups > MaxMedia {
			return FaultBundle
		}
		names := 0
		for mid := word(d.Raw, &rest); !mid.Empty(); mid = word(d.Raw, &rest) {
			if names++; names > MaxMedia {
				return FaultBundle
			}
			for j := range d.Media {
				m := &d.Media[j]
				if m.Bundle < 0 && !m.Mid.Empty() && bytes.Equal(m.Mid.Of(d.Raw), mid.Of(d.Raw)) {
					m.Bundle = i
				}
			}
		}
	}
	return FaultNone
}

// SharesPort is the first media that has the same bundle group, address and port as media i, whose relay port it must then
// have too; i itself if there is none.
func (d *Description) SharesPort(i int) int {
	m := &d.Media[i]
	if m.Bundle < 0 || m.Port == 0 {
		return i
	}
	own := d.ConnectionOf(i)
	for j := range d.Media[:i] {
		o := &d.Media[j]
		if o.Bundle == m.Bundle && o.Port == m.Port && d.sameTarget(own, d.ConnectionOf(j)) {
			return j
		}
	}
	return i
}

func (d *Description) sameTarget(a, b *Connection) bool {
	return bytes.Equal(a.Span.Of(d.Raw), b.Span.Of(d.Raw))
}
