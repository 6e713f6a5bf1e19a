package media

import "net/netip"

// Here says whether an address is one that the engine binds or advertises.
func (e *Engine) Here(a netip.Addr) bool {
	a = a.Unmap()
	for addr := range e.pools {
		if addr == a || e.options.Advertise[addr] == a {
			return true
		}
	}
	return false
}

// Ranges says whether a port is in the range that sessions take theirs from.
func (e *Engine) Ranges(port uint16) bool {
	return port >= e.options.Ports.Lo && port <= e.options.Ports.Hi
}

// Has says whether a side has an address of a family.
func (e *Engine) Has(leg Leg, f Family) bool {
	a, b := e.options.Outside, e.options.Outside6
	if leg == Inside {
		a, b = e.options.Inside, e.options.Inside6
	}
	_, err := f.pick(a, b)
	return err == nil
}
