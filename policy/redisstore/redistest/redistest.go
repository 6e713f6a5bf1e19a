// Package redistest starts a real redis-server for a test: its own process, on a free loopback port, in a directory of
// its own, stopped with the test. It can be killed, restarted, paused and resumed in mid-test.
//
// It promises that nothing outlives the test and that only processes which it started are ever signalled. It refuses to
// run without Debian's redis-server, and says how to install it.
package redistest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Server is one redis-server. Its address stays the same over restarts.
type Server struct {
	tb   testing.TB
	bin  string
	dir  string
	port int
	conf string // text of a configuration file; "": none
	args []string

	mu   sync.Mutex // guards proc
	proc *process   // nil: not running
}

type process struct {
	cmd    *exec.Cmd
	exited chan struct{}
}

// Option of Start.
type Option func(*Server)

// Persist keeps an append-only file with fsync at every write, so that Kill loses nothing that was acknowledged.
func Persist() Option { return Args("--appendonly", "yes", "--appendfsync", "always") }

// Args adds arguments of redis-server, such as "--replicaof", "127.0.0.1 6379".
func Args(args ...string) Option {
	return func(s *Server) { s.args = append(s.args, args...) }
}

// Sentinel makes the server a Sentinel that watches a master under a name, alone enough to declare it down after a
// second.
func Sentinel(name string, master *Server) Option {
	return func(s *Server) {
		s.conf = fmt.Sprintf("sentinel monitor %[1]s 127.0.0.1 %[2]d 1\nsentinel down-after-milliseconds %[1]s 1000\nsentinel failover-timeout %[1]s 5000\n",
			name, master.port)
		s.args = []string{"--sentinel"}
	}
}

// Cluster makes the server a Cluster of one node that serves every slot.
func Cluster() Option { return Args("--cluster-enabled", "yes") }

// Start starts a server and waits until it answers. Without Persist it forgets everything when it stops.
func Start(tb testing.TB, opts ...Option) *Server {
	tb.Helper()
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		tb.Fatal("this test needs a real Redis: apt-get install redis-server")
	}
	s := &Server{tb: tb, bin: bin, dir: tb.TempDir()}
	s.args = []string{"--maxmemory-policy", "noeviction", "--save", "", "--repl-diskless-sync-delay", "0"}
	for _, o := range opts {
		o(s)
	}
	// A free port can be taken between the look and the start: then another one.
	for try := 0; ; try++ {
		if s.port, err = freePort(); err != nil {
			tb.Fatal(err)
		}
		if err = s.start(); err == nil {
			break
		}
		if try == 4 {
			tb.Fatal(err)
		}
	}
	tb.Cleanup(s.Kill)
	return s
}

// freePort is below the ports that the kernel gives to connections: a server that is down for a while finds its port free
// when it comes back.
func freePort() (int, error) {
	for range 100 {
		port := 20000 + rand.IntN(10000)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("no free port of 127.0.0.1 between 20000 and 29999")
}

// Addr is host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Port on 127.0.0.1.
func (s *Server) Port() int { return s.port }

// URL is redis://host:port/0.
func (s *Server) URL() string { return "redis://" + s.Addr() + "/0" }

func (s *Server) start() error {
	log := filepath.Join(s.dir, "redis.log")
	args := append([]string{"--bind", "127.0.0.1", "--port", strconv.Itoa(s.port), "--dir", s.dir, "--logfile", log}, s.args...)
	if s.conf != "" {
		file := filepath.Join(s.dir, "redis.conf")
		if err := os.WriteFile(file, []byte(s.conf), 0o600); err != nil {
			return err
		}
		args = append([]string{file}, args...)
	}
	cmd := exec.Command(s.bin, args...)
	// A test binary that is killed takes its server with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	p := &process{cmd, make(chan struct{})}
	go func() { cmd.Wait(); close(p.exited) }()
	deadline := time.After(20 * time.Second)
	for {
		if s.answers() {
			s.mu.Lock()
			s.proc = p
			s.mu.Unlock()
			return nil
		}
		select {
		case <-p.exited:
			b, _ := os.ReadFile(log)
			return fmt.Errorf("redis-server ended at once: %s", tail(b))
		case <-deadline:
			cmd.Process.Kill()
			<-p.exited
			return errors.New("redis-server does not answer within 20 s")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func tail(b []byte) []byte { return b[max(0, len(b)-2000):] }

// Do sends one command, as an operator with redis-cli would, and returns the first line of the answer.
func (s *Server) Do(words ...string) string {
	s.tb.Helper()
	c, err := net.DialTimeout("tcp", s.Addr(), time.Second)
	if err != nil {
		s.tb.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(c, "*%d\r\n", len(words))
	for _, w := range words {
		fmt.Fprintf(c, "$%d\r\n%s\r\n", len(w), w)
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		s.tb.Fatalf("%v: %v", words, err)
	}
	return strings.TrimSpace(line)
}

// answers: a PING is answered with PONG, which is not so while it loads.
func (s *Server) answers() bool {
	c, err := net.DialTimeout("tcp", s.Addr(), time.Second)
	if err != nil {
		return false
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Second))
	if _, err := c.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	var b [64]byte
	n, err := c.Read(b[:])
	return err == nil && bytes.HasPrefix(b[:n], []byte("+PONG"))
}

func (s *Server) signal(sig os.Signal) *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil {
		s.proc.cmd.Process.Signal(sig)
	}
	return s.proc
}

// Kill ends the server with SIGKILL and returns when it has ended. A paused server dies too.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Stop lets the server shut down by itself.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

func (s *Server) end(sig os.Signal) {
	p := s.signal(sig)
	if p == nil {
		return
	}
	<-p.exited
	s.mu.Lock()
	s.proc = nil
	s.mu.Unlock()
}

// Restart ends the server if it runs and starts it again on the same port; without Persist it comes back empty.
func (s *Server) Restart() {
	s.tb.Helper()
	s.Kill()
	if err := s.start(); err != nil {
		s.tb.Fatal(err)
	}
}

// Pause stops the process with SIGSTOP: connections stay open and nothing answers.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume lets a paused server go on.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }
