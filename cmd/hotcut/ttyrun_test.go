package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// ttyRun is a command of the scripts: `exec ttyrun FILE COMMAND ARGS...` runs a command with a terminal as its standard
// input, types what FILE holds, and puts what the terminal showed behind the command's own standard output. (testscript's
// ttyin closes the terminal before it has read it to its end: on a loaded machine a question was lost.)
func ttyRun() {
	code, err := runOnTerminal(os.Args[1], os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "ttyrun:", err)
		os.Exit(127)
	}
	os.Exit(code)
}

func runOnTerminal(answers string, command []string) (int, error) {
	typed, err := os.ReadFile(answers)
	if err != nil {
		return 0, err
	}
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return 0, err
	}
	defer master.Close()
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		return 0, err
	}
	n, err := unix.IoctlGetUint32(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		return 0, err
	}
	slave, err := os.OpenFile("/dev/pts/"+strconv.Itoa(int(n)), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return 0, err
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	err = cmd.Start()
	slave.Close() // the command's own is the last: when it ends, the terminal's other side reads to its end
	if err != nil {
		return 0, err
	}
	if _, err := master.Write(append(typed, 4)); err != nil { // 4: end of input
		return 0, err
	}
	shown, _ := io.ReadAll(master) // ends with EIO
	cmd.Wait()
	os.Stdout.Write(shown)
	return cmd.ProcessState.ExitCode(), nil
}
