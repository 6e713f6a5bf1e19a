package main

import (
	"errors"
	"log/slog"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// slice is for how long a thread that carries calls wants a processor at once, in nanoseconds; the least that Linux grants. Who asks for
// little is served first: when a packet comes and every processor is taken, its thread takes one from somebody who asked for more. Others
// ask for 0.7 to 3 ms, and nobody takes a processor from his equal before the next tick of the clock, up to 4 ms later.
const slice uint64 = 100_000

// setSlices asks the kernel for short slices for every thread there is; those to come inherit them. It needs no privilege. Kernels
// before 6.12 know of no such wish, and a thread with a policy other than the normal one is left as whoever set that wants it.
func setSlices(log *slog.Logger) {
	if err := sliceAll(slice); err != nil {
		log.Info("threads keep the slices that the kernel gives: on a busy machine messages wait longer", "error", err)
	}
}

func sliceAll(slice uint64) error {
	for range 100 { // until no thread came between
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		changed := false
		for _, task := range tasks {
			id, err := strconv.Atoi(task.Name())
			if err != nil {
				return err
			}
			done, err := setSlice(id, slice)
			if err != nil && err != unix.ESRCH { // it has ended
				return err
			}
			changed = changed || done
		}
		if !changed {
			return nil
		}
	}
	return errors.New("the kernel takes the wish and forgets it")
}

// aside runs f, which works in the same process as calls do and can wait, on a thread that asks for as much as any other program's.
func aside(f func() error) error {
	runtime.LockOSThread() // for good: the thread ends with the goroutine
	setSlice(0, 0)         // if the kernel does not want to, f works all the same
	return f()
}

// yield lets another thread have the processor, if one waits for it: the kernel alone would let it wait for milliseconds. Go's scheduler
// is not asked, for a call is carried by a thread of its own.
func yield() { unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }

// setSlice gives a thread a slice; 0 is what the kernel gives by itself.
func setSlice(thread int, slice uint64) (changed bool, err error) {
	attr, err := unix.SchedGetAttr(thread, 0)
	if err != nil || attr.Policy != unix.SCHED_NORMAL || attr.Runtime == 0 || attr.Runtime == slice { // 0: an older kernel
		return false, err
	}
	attr.Runtime = slice
	return true, unix.SchedSetAttr(thread, attr, 0)
}
