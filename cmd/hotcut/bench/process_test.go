//go:build bench

package bench

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A process is one program and whatever it forks, in a process group of its own.
type process struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{}
}

func start(t *testing.T, dir, name string, env []string, args ...string) *process {
	t.Helper()
	p := &process{log: filepath.Join(dir, name+".log"), done: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, log, log
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.cmd.Wait(); close(p.done) }()
	t.Cleanup(p.kill)
	return p
}

func (p *process) kill() {
	select {
	case <-p.done:
	default:
		syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.done
	}
}

func (p *process) said() string {
	text, _ := os.ReadFile(p.log)
	return string(text[max(0, len(text)-4000):])
}

// members are the processes of p's group.
func (p *process) members(t *testing.T) (pids []string) {
	t.Helper()
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		// pid (name) state ppid pgrp: the name may hold anything
		f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
		if len(f) > 2 && string(f[2]) == strconv.Itoa(p.cmd.Process.Pid) {
			pids = append(pids, filepath.Base(filepath.Dir(name)))
		}
	}
	if len(pids) == 0 {
		t.Fatalf("no process is left:\n%s", p.said())
	}
	return pids
}

// cpu is the time that all threads have spent on a processor, in nanoseconds: the first field of schedstat.
func (p *process) cpu(t *testing.T) (ns int64) {
	t.Helper()
	for _, pid := range p.members(t) {
		tasks, _ := filepath.Glob("/proc/" + pid + "/task/*/schedstat")
		for _, name := range tasks {
			b, err := os.ReadFile(name)
			if err != nil {
				continue
			}
			n, err := strconv.ParseInt(strings.Fields(string(b))[0], 10, 64)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			ns += n
		}
	}
	return ns
}

// resident is the memory in RAM, in bytes; what several processes share counts once.
func (p *process) resident(t *testing.T) (n int64) {
	t.Helper()
	for _, pid := range p.members(t) {
		b, err := os.ReadFile("/proc/" + pid + "/smaps_rollup")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "Pss:" {
				kb, _ := strconv.ParseInt(f[1], 10, 64)
				n += kb << 10
			}
		}
	}
	return n
}

// home is a loopback address of this process's own.
var home = fmt.Sprintf("127.%d.%d.1", 160+os.Getpid()>>8&63, os.Getpid()&255)

var nextPort atomic.Int32

// freeAddr is an address of home that nobody has had yet.
func freeAddr(t *testing.T) string {
	t.Helper()
	for range 1000 {
		addr := fmt.Sprintf("%s:%d", home, 10000+nextPort.Add(1))
		if c, err := net.ListenPacket("udp4", addr); err == nil {
			c.Close()
			return addr
		}
	}
	t.Fatal("no port is free at " + home)
	return ""
}

func await(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %s in vain for %s", limit, what)
		}
	}
}

// repository returns a path below the repository's root.
func repository(t *testing.T, path ...string) string {
	t.Helper()
	file, err := filepath.Abs(filepath.Join(append([]string{"..", "..", ".."}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return file
}
