package filestore

import (
	"os"

	"golang.org/x/sys/unix"
)

// stamp tells two states of a file apart without reading it.
type stamp struct {
	ino   uint64
	size  int64
	mtime int64
}

// stampOf returns the zero stamp for a file that is not there.
func stampOf(path string) (stamp, error) {
	var st unix.Stat_t
	for {
		switch err := unix.Stat(path, &st); err {
		case nil:
			return stamp{ino: st.Ino, size: st.Size, mtime: st.Mtim.Nano()}, nil
		case unix.EINTR:
		case unix.ENOENT:
			return stamp{}, nil
		default:
			return stamp{}, &os.PathError{Op: "stat", Path: path, Err: err}
		}
	}
}
