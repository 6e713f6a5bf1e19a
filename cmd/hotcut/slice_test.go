package main

import (
	"os"
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// Every thread has a short slice, also those that come later.
func TestSlices(t *testing.T) {
	if before, err := unix.SchedGetAttr(0, 0); err != nil || before.Runtime == 0 {
		t.Skip("this kernel has no slices of a length of one's own")
	}
	if err := sliceAll(slice); err != nil {
		t.Fatal(err)
	}
	const more = 20
	ready, end := make(chan struct{}), make(chan struct{})
	for range more {
		go func() {
			runtime.LockOSThread()
			ready <- struct{}{}
			<-end
		}()
	}
	for range more {
		<-ready
	}
	defer close(end)
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil || len(tasks) < more {
		t.Fatal(len(tasks), err)
	}
	for _, task := range tasks {
		id, err := strconv.Atoi(task.Name())
		if err != nil {
			t.Fatal(err)
		}
		switch attr, err := unix.SchedGetAttr(id, 0); {
		case err == unix.ESRCH:
		case err != nil:
			t.Error(err)
		case attr.Runtime != slice:
			t.Errorf("thread %d has a slice of %d ns, not %d", id, attr.Runtime, slice)
		}
	}
}
