//go:build bench

package bench

import (
	"net"
	"net/netip"
	"os"
	"strings"
)

// The blind forwarder is the limit to see: it looks at no byte. What arrives on an outer socket leaves by the inner one
// towards a fixed address, and what arrives there goes to whoever sent last. It runs as a process of its own, so that its CPU
// can be read as that of the others: this test's binary, started again.

// forwardEnv holds "OUTER INNER TARGET" for each pair, separated by commas.
const forwardEnv = "HOTCUT_BENCH_FORWARD"

func forward(pairs string) {
	for pair := range strings.SplitSeq(pairs, ",") {
		f := strings.Fields(pair)
		outer, inner, target := bind(f[0]), bind(f[1]), netip.MustParseAddrPort(f[2])
		caller := make(chan netip.AddrPort, 1)
		go func() {
			var last netip.AddrPort
			pump(outer, inner, func(from netip.AddrPort) netip.AddrPort {
				if from != last {
					last = from
					caller <- from
				}
				return target
			})
		}()
		go func() {
			back := <-caller
			pump(inner, outer, func(netip.AddrPort) netip.AddrPort {
				select {
				case back = <-caller:
				default:
				}
				return back
			})
		}()
	}
	select {}
}

func bind(addr string) *net.UDPConn {
	c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr)))
	if err != nil {
		panic(err)
	}
	c.SetReadBuffer(4 << 20)
	c.SetWriteBuffer(4 << 20)
	return c
}

func pump(from, to *net.UDPConn, where func(netip.AddrPort) netip.AddrPort) {
	buf := make([]byte, 64<<10)
	for {
		n, source, err := from.ReadFromUDPAddrPort(buf)
		if err != nil {
			os.Exit(1)
		}
		to.WriteToUDPAddrPort(buf[:n], where(source))
	}
}
