//go:build linux

package choice

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// ErrInUse says that another process, or another open table, has the file.
var ErrInUse = errors.New("the file is in use by another edge")

const (
	headerBytes = 4096 // a page, so that slots are aligned to their size
	maxSlots    = 1 << 24
)

// file is a mapped file: a header page, then slots.
type file struct {
	f     *os.File
	bytes []byte
}

// header is what has to be equal for the content to be kept. Its words are in
// the byte order of the machine, so a file of another order does not match.
type header [4]uint64

// openFile maps path with room for slots of slotBytes. An existing file with the
// same header and size keeps its content, any other starts as zeros.
func openFile(path string, kind uint64, slots, slotBytes int) (_ *file, err error) {
	want := header{kind, 1, uint64(slots), uint64(slotBytes)}
	size := int64(headerBytes + slots*slotBytes)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: %w", path, ErrInUse)
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	kept, err := sameHeader(f, size, want)
	if err != nil {
		return nil, err
	}
	if !kept {
		if err := f.Truncate(0); err != nil {
			return nil, err
		}
	}
	if err := allocate(f, size); err != nil {
		return nil, fmt.Errorf("%s: no room for %d bytes: %w", path, size, err)
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", path, err)
	}
	for i, w := range want {
		binary.NativeEndian.PutUint64(b[i*8:], w)
	}
	return &file{f: f, bytes: b}, nil
}

func sameHeader(f *os.File, size int64, want header) (bool, error) {
	st, err := f.Stat()
	if err != nil {
		return false, err
	}
	if !st.Mode().IsRegular() {
		return false, fmt.Errorf("%s: not a regular file", f.Name())
	}
	if st.Size() != size {
		return false, nil
	}
	var b [len(want) * 8]byte
	if _, err := f.ReadAt(b[:], 0); err != nil {
		return false, err
	}
	for i, w := range want {
		if binary.NativeEndian.Uint64(b[i*8:]) != w {
			return false, nil
		}
	}
	return true, nil
}

// allocate makes the file size bytes long with all its blocks on the disk: a
// store into a hole of a mapped file on a full disk would be a SIGBUS.
func allocate(f *os.File, size int64) error {
	err := unix.Fallocate(int(f.Fd()), 0, 0, size)
	if !errors.Is(err, unix.EOPNOTSUPP) {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		return err
	}
	zeros := make([]byte, 1<<16)
	for at := st.Size(); at < size; {
		n, err := f.WriteAt(zeros[:min(int64(len(zeros)), size-at)], at)
		if err != nil {
			return err
		}
		at += int64(n)
	}
	return nil
}

// slots is the mapped memory behind the header.
func (f *file) slots() []byte { return f.bytes[headerBytes:] }

func (f *file) close() error {
	err := unix.Munmap(f.bytes)
	f.bytes = nil
	return errors.Join(err, f.f.Close())
}

func checkSlots(slots int) error {
	if slots < 8 || slots > maxSlots || slots&(slots-1) != 0 {
		return fmt.Errorf("%d slots: want a power of two from 8 to %d", slots, maxSlots)
	}
	return nil
}
