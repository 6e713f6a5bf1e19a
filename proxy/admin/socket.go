package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrInUse is wrapped by New when another process serves the socket.
var ErrInUse = errors.New("another process serves it")

// socket is the Unix listener with the lock that says it is alive.
type socket struct {
	net.Listener
	lock *os.File
}

func (s *socket) Close() error {
	err := s.Listener.Close() // also removes the file
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	s.lock.Close() // gives the lock up; the file stays, or two starters could hold locks on two files of that name
	return err
}

// listenUnix binds path with mode 0600. A socket that nobody serves is removed; what is no socket is left alone.
func listenUnix(path string) (*socket, error) {
	lock, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("%s: %w: stop that edge, or give this one another admin.socket", path, ErrInUse)
	}
	ln, err := bind(path)
	if err != nil {
		lock.Close()
		return nil, err
	}
	return &socket{ln, lock}, nil
}

func bind(path string) (net.Listener, error) {
	fi, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case fi.Mode().Type() != fs.ModeSocket:
		return nil, fmt.Errorf("%s is not a socket: remove it, or choose another admin.socket", path)
	default:
		if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
			c.Close()
			return nil, fmt.Errorf("%s: %w: stop it, or give this edge another admin.socket", path, ErrInUse)
		} else if !errors.Is(err, syscall.ECONNREFUSED) {
			return nil, err // it may be alive: not ours to remove
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	// The mode is set on the socket before bind gives it a name: at no moment can anybody else connect.
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var cerr error
		err := c.Control(func(fd uintptr) { cerr = unix.Fchmod(int(fd), 0o600) })
		return errors.Join(err, cerr)
	}}
	return lc.Listen(context.Background(), "unix", path)
}
