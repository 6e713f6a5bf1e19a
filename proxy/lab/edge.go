package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Edge is an edge as a child process: it can be killed and started again with the same configuration and state.
type Edge struct {
	Name    string
	Outside netip.AddrPort // where phones send, by UDP and TCP
	Inside  netip.AddrPort // where the platforms send
	Metrics netip.AddrPort // /metrics, /healthz and /readyz
	File    string         // its configuration
	Socket  string         // its admin socket
	LogFile string

	binary string
	cmd    *exec.Cmd
	exited chan struct{} // closed when cmd is gone
	err    error         // why it went; read after exited
}

// How long an edge may take: from its start to ready, and from SIGTERM to its end. Both take well under a second; a
// loaded machine may need more.
const (
	edgeStart = 20 * time.Second
	edgeStop  = 5 * time.Second
)

// NewEdge writes the edge's configuration. binary is the hotcut program; Start runs it.
func NewEdge(binary string, o EdgeOptions) (*Edge, error) {
	l, file, err := writeEdgeFile(o)
	if err != nil {
		return nil, err
	}
	return &Edge{
		Name: o.Name, Outside: l.Outside, Inside: l.Inside, Metrics: l.Metrics, File: file,
		Socket: filepath.Join(o.Dir, "edge.sock"), LogFile: filepath.Join(o.Dir, "edge.log"), binary: binary,
	}, nil
}

// Start runs the edge and returns once it is ready for calls. The process ends with ctx.
func (e *Edge) Start(ctx context.Context) error {
	if e.Running() {
		return fmt.Errorf("lab: %s is running", e.Name)
	}
	log, err := os.OpenFile(e.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("lab: log of %s: %w", e.Name, err)
	}
	defer log.Close() // the child has its own copy
	cmd := exec.CommandContext(ctx, e.binary, "edge", "--config", e.File)
	cmd.Args[0] = os.Args[0] // a test binary decides by this name which command it plays
	cmd.Env = Environ()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = edgeStop
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:   true,            // Ctrl-C is for the lab, which then stops its edges in order
		Pdeathsig: syscall.SIGTERM, // and a lab that is killed leaves none behind
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("lab: start %s: %w", e.Name, err)
	}
	e.cmd, e.exited = cmd, make(chan struct{})
	go func(exited chan struct{}) {
		e.err = cmd.Wait()
		close(exited)
	}(e.exited)
	return e.awaitReady(ctx)
}

// Environ is our environment without HOTCUT_*: what configures the caller's own store or edge must not reach the lab's.
func Environ() []string {
	return slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "HOTCUT_") })
}

// awaitReady asks /readyz on the admin socket until it says yes.
func (e *Edge) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, edgeStart)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", e.Socket)
		},
	}}
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		last := readyz(ctx, client)
		if last == nil {
			return nil
		}
		select {
		case <-e.exited:
			return fmt.Errorf("lab: %s ended while it started (%v):\n%s", e.Name, e.err, e.logTail())
		case <-ctx.Done():
			return fmt.Errorf("lab: %s is not ready (%v):\n%s", e.Name, last, e.logTail())
		case <-again.C:
		}
	}
}

func readyz(ctx context.Context, client *http.Client) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://edge/readyz", nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return errors.New(res.Status)
	}
	return nil
}

// logTail is the end of the edge's log, for an error message.
func (e *Edge) logTail() string {
	b, err := os.ReadFile(e.LogFile)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-8):], []byte("\n")))
}

// Running says whether the process is there.
func (e *Edge) Running() bool {
	if e.cmd == nil {
		return false
	}
	select {
	case <-e.exited:
		return false
	default:
		return true
	}
}

// PID is the number of the process.
func (e *Edge) PID() int { return e.cmd.Process.Pid }

// Kill ends the edge without warning (SIGKILL) and waits until it is gone.
func (e *Edge) Kill() error {
	if !e.Running() {
		return fmt.Errorf("lab: %s is not running", e.Name)
	}
	if err := e.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("lab: kill %s: %w", e.Name, err)
	}
	<-e.exited
	return nil
}

// Stop asks the edge to end (SIGTERM), kills it when it does not, and waits until it is gone.
func (e *Edge) Stop() error {
	if !e.Running() {
		return nil
	}
	if err := e.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("lab: stop %s: %w", e.Name, err)
	}
	select {
	case <-e.exited:
		return nil
	case <-time.After(edgeStop):
		return e.Kill()
	}
}
