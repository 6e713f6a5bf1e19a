//go:build interop

package interop

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// kamailio is one Kamailio with a configuration of testdata/kamailio, on a loopback port of its own by UDP and TCP. It
// can be killed and started again on the same port.
type kamailio struct {
	t    *testing.T
	addr string
	log  string
	args []string
	cmd  *exec.Cmd
	done chan struct{}
}

// startKamailio runs the configuration with a value for each define, such as `CALLEE="sip:127.0.0.1:5090"`.
func startKamailio(t *testing.T, name, config string, defines ...string) *kamailio {
	t.Helper()
	return startKamailioAt(t, freeAddr(t), name, config, defines...)
}

func startKamailioAt(t *testing.T, addr, name, config string, defines ...string) *kamailio {
	t.Helper()
	bin, err := exec.LookPath("kamailio")
	if err != nil {
		t.Fatal("kamailio is not installed: apt-get install kamailio")
	}
	file, err := filepath.Abs(filepath.Join("..", "..", "..", "testdata", "kamailio", config))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	k := &kamailio{t: t, addr: addr, log: filepath.Join(dir, name+".log")}
	// In the foreground, log to stderr, run directory of its own, little memory.
	k.args = []string{bin, "-DD", "-E", "-f", file, "-w", dir, "-Y", dir, "-m", "64", "-M", "8", "-l", "udp:" + k.addr, "-l", "tcp:" + k.addr}
	for _, d := range defines {
		k.args = append(k.args, "-A", d)
	}
	t.Cleanup(func() {
		k.kill()
		if t.Failed() {
			text, _ := os.ReadFile(k.log)
			t.Logf("%s said:\n%s", name, text[max(0, len(text)-6000):])
		}
	})
	k.start()
	return k
}

// start returns when Kamailio answers.
func (k *kamailio) start() {
	k.t.Helper()
	log, err := os.OpenFile(k.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		k.t.Fatal(err)
	}
	k.cmd = exec.Command(k.args[0], k.args[1:]...)
	k.cmd.Stdout, k.cmd.Stderr = log, log
	k.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it forks: a kill is for all of them
	if err := k.cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	log.Close()
	done := make(chan struct{})
	k.done = done
	go func(c *exec.Cmd) { c.Wait(); close(done) }(k.cmd)
	await(k.t, 20*time.Second, "kamailio to answer", func() bool {
		select {
		case <-done:
			text, _ := os.ReadFile(k.log)
			k.t.Fatalf("kamailio ended:\n%s", text)
		default:
		}
		return answersOptions(k.addr)
	})
}

// kill ends Kamailio and its children at once, as a power cut would.
func (k *kamailio) kill() {
	select {
	case <-k.done:
		return
	default:
	}
	syscall.Kill(-k.cmd.Process.Pid, syscall.SIGKILL)
	<-k.done
}

// answersOptions asks once, and waits a little for any response.
func answersOptions(addr string) bool {
	c, err := net.Dial("udp", addr)
	if err != nil {
		return false
	}
	defer c.Close()
	me := c.LocalAddr()
	fmt.Fprintf(c, "OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKup%d;rport\r\nFrom: <sip:test@%s>;tag=up\r\nTo: <sip:%s>\r\n"+
		"Call-ID: up-%d\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n", addr, me, time.Now().UnixNano(), me, addr, time.Now().UnixNano())
	c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	buf := make([]byte, 2048)
	n, err := c.Read(buf)
	return err == nil && strings.HasPrefix(string(buf[:n]), "SIP/2.0 ")
}

// entry is a request that Kamailio wrote into its journal.
type entry struct {
	again  bool // it repeated one that Kamailio was still serving
	method string
	callID string
	from   string // proto:address:port
}

// journal reads what Kamailio has received; of one call, or of all with "".
func (k *kamailio) journal(callID string) []entry {
	k.t.Helper()
	text, err := os.ReadFile(k.log)
	if err != nil {
		k.t.Fatal(err)
	}
	var list []entry
	for line := range strings.Lines(string(text)) {
		_, rest, ok := strings.Cut(line, "journal ")
		f := strings.Fields(rest)
		if !ok || len(f) != 4 || callID != "" && f[2] != callID {
			continue
		}
		list = append(list, entry{again: f[0] == "again", method: f[1], callID: f[2], from: f[3]})
	}
	return list
}

// methods are those of the transactions that a call began on this Kamailio, in order, each as "METHOD".
func (k *kamailio) methods(callID string) string {
	var list []string
	for _, e := range k.journal(callID) {
		if !e.again {
			list = append(list, e.method)
		}
	}
	return strings.Join(list, " ")
}
