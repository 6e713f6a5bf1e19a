package redisstore

import (
	"context"
	"net"
	"time"
)

type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// undaunted makes a dialer whose failures come back as connections that fail at their first use, with the same error.
// go-redis counts failed dials: after as many as its pool has places it fails without dialling and probes once a second,
// so that a Redis that is back is not heard of for as long. Who asks every 250 ms wants to know at once.
func undaunted(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		if err != nil && ctx.Err() == nil {
			return unreached{err}, nil
		}
		return c, err
	}
}

// unreached is a connection that was never made.
type unreached struct{ err error }

func (u unreached) Read([]byte) (int, error)         { return 0, u.err }
func (u unreached) Write([]byte) (int, error)        { return 0, u.err }
func (u unreached) Close() error                     { return nil }
func (u unreached) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (u unreached) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (u unreached) SetDeadline(time.Time) error      { return nil }
func (u unreached) SetReadDeadline(time.Time) error  { return nil }
func (u unreached) SetWriteDeadline(time.Time) error { return nil }
