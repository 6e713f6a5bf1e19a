package lab

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/alicebob/miniredis/v2"
)

// Redis is an embedded Redis on a free loopback port, which nobody gets while it is away. It can go away and come back, with or without what it held.
type Redis struct {
	mini *miniredis.Miniredis
	addr string
	up   bool
}

// StartRedis starts an empty Redis.
func StartRedis() (*Redis, error) {
	m := miniredis.NewMiniRedis()
	err := syscall.EADDRINUSE
	for range portCount {
		addr := fmt.Sprintf("127.0.0.1:%d", firstPort+nextPort.Add(1)%portCount)
		if err := m.StartAddr(addr); err == nil {
			return &Redis{mini: m, addr: addr, up: true}, nil
		} else if !errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("lab: embedded Redis: %w", err)
		}
	}
	return nil, fmt.Errorf("lab: embedded Redis: %w", err)
}

// URL is what HOTCUT_STORE takes. It stays the same over Stop and Restart.
func (r *Redis) URL() string { return "redis://" + r.addr + "/0" }

// Stop closes the port and every connection. What the Redis holds is kept.
func (r *Redis) Stop() {
	if r.up {
		r.mini.Close()
		r.up = false
	}
}

// Restart serves again on the same port; empty says that everything it held is lost.
func (r *Redis) Restart(empty bool) error {
	if r.up {
		return errors.New("lab: the embedded Redis is running")
	}
	if empty {
		r.mini.FlushAll()
	}
	// miniredis ends this context with Close and does not make a new one: blocking reads would never wait again.
	r.mini.Ctx, r.mini.CtxCancel = context.WithCancel(context.Background())
	if err := r.mini.Restart(); err != nil {
		return fmt.Errorf("lab: embedded Redis: %w", err)
	}
	r.up = true
	return nil
}
