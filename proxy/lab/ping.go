package lab

import (
	"bytes"
	"net"

	"github.com/emiago/sipgo/sip"
)

// pings hears CRLF keepalives (RFC 5626 section 3.5.1) and answers a double one, the ping, with a single one, the pong. sipgo
// answers them itself on TCP and not at all on UDP, where a phone behind a NAT has to: some boxes keep a mapping only for
// what the inside sends.
func (a *agent) pings(heard func()) sip.TransportReadFilter {
	return func(p sip.TransportReadProps, data []byte) ([]byte, error) {
		if len(data) > 4 || len(bytes.Trim(data, "\r\n")) > 0 {
			return data, nil
		}
		from, udp := p.RemoteAddr.(*net.UDPAddr)
		if len(data) == 4 {
			if heard != nil {
				heard()
			}
			if udp {
				if _, err := a.udp.WriteTo(data[:2], from); err != nil {
					a.log.Info("a ping was not answered", "error", err)
				}
			}
		}
		return data, nil
	}
}
