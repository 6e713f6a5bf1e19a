package filestore

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/hotcut/hotcut/policy"
)

const (
	magic     = "hotcut-policy 1 "
	headerLen = len(magic) + 2*sha256.Size + 1
	maxLine   = policy.MaxChange + 128 // one record of the log, in bytes

	fileMode = 0o640
	dirMode  = 0o750
)

// errTorn: the bytes are not what was written.
var errTorn = errors.New("torn or damaged")

// writeCheckpoint writes s to path: temporary file, fsync, rename, fsync of the directory.
func writeCheckpoint(path string, s *policy.Snapshot) error {
	return replace(path, func(f *os.File) error {
		if _, err := f.Write(make([]byte, headerLen)); err != nil {
			return err
		}
		sum := sha256.New()
		w := bufio.NewWriterSize(io.MultiWriter(f, sum), 1<<16)
		if err := s.Encode(w); err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return err
		}
		_, err := f.WriteAt([]byte(magic+hex.EncodeToString(sum.Sum(nil))+"\n"), 0)
		return err
	})
}

// readCheckpoint returns what writeCheckpoint wrote, or errTorn.
func readCheckpoint(path string) (*policy.Snapshot, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<16)
	head := make([]byte, headerLen)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, errTorn, err)
	}
	want, ok := bytes.CutPrefix(head, []byte(magic))
	if !ok {
		return nil, fmt.Errorf("%s: %w: it does not start with %q", path, errTorn, magic)
	}
	sum := sha256.New()
	tee := io.TeeReader(r, sum)
	s, derr := policy.Decode(tee)
	if derr == nil {
		_, derr = io.Copy(io.Discard, tee)
	}
	if derr != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, errTorn, derr)
	}
	if hex.EncodeToString(sum.Sum(nil))+"\n" != string(want) {
		return nil, fmt.Errorf("%s: %w: its SHA-256 differs", path, errTorn)
	}
	return s, nil
}

// appendLine adds a record of the log to dst.
func appendLine(dst []byte, c *policy.Change) ([]byte, error) {
	b, err := c.Canonical()
	if err != nil {
		return dst, err
	}
	if len(b) > maxLine-2*sha256.Size-2 {
		return dst, fmt.Errorf("the change is %d bytes, a record of the log at most %d: import in smaller steps", len(b), policy.MaxChange)
	}
	sum := sha256.Sum256(b)
	dst = hex.AppendEncode(dst, sum[:])
	dst = append(dst, ' ')
	dst = append(dst, b...)
	return append(dst, '\n'), nil
}

// parseLine reads what appendLine wrote, without its newline. The result aliases line.
func parseLine(line []byte) ([]byte, error) {
	const n = 2 * sha256.Size
	if len(line) < n+1 || line[n] != ' ' {
		return nil, errTorn
	}
	var want [sha256.Size]byte
	if _, err := hex.Decode(want[:], line[:n]); err != nil {
		return nil, errTorn
	}
	if sha256.Sum256(line[n+1:]) != want {
		return nil, errTorn
	}
	return line[n+1:], nil
}

// lines calls f with each whole record of the file from offset off on, and where it starts and ends. It returns the
// offset behind the last good record. A bad record at the very end is a torn tail and no error; one before a good
// record is damage.
func lines(path string, off int64, f func(record []byte, from, to int64) error) (int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return off, err
	}
	defer file.Close()
	if _, err := file.Seek(off, io.SeekStart); err != nil {
		return off, err
	}
	r := bufio.NewReaderSize(file, 1<<16)
	good, at, bad := off, off, false
	for {
		line, err := readLine(r)
		if err == io.EOF {
			return good, nil // an unfinished line is being written, or was torn
		}
		if err != nil {
			return good, fmt.Errorf("%s at byte %d: %w", path, at, err)
		}
		from := at
		at += int64(len(line)) + 1
		record, err := parseLine(line)
		if err != nil {
			bad = true
			continue
		}
		if bad {
			return good, fmt.Errorf("%s at byte %d: %w, and good records follow", path, good, errTorn)
		}
		if err := f(record, from, at); err != nil {
			return good, err
		}
		good = at
	}
}

// readLine returns the next line without its newline; io.EOF when there is no whole line left.
func readLine(r *bufio.Reader) ([]byte, error) {
	var long []byte
	for {
		part, err := r.ReadSlice('\n')
		switch {
		case err == nil && long == nil:
			return part[:len(part)-1], nil
		case err == nil:
			long = append(long, part...)
			return long[:len(long)-1], nil
		case err != bufio.ErrBufferFull:
			return nil, err
		case len(long)+len(part) > maxLine:
			return nil, fmt.Errorf("%w: a record of more than %d bytes", errTorn, maxLine)
		}
		long = append(long, part...)
	}
}

// replace writes path by way of a temporary file beside it: whoever opens path sees the old bytes or the new ones.
func replace(path string, write func(*os.File) error) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".tmp-"+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err := f.Chmod(fileMode); err != nil {
		return err
	}
	if err := write(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

func replaceBytes(path string, b []byte) error {
	return replace(path, func(f *os.File) error {
		_, err := f.Write(b)
		return err
	})
}

// syncDir makes renames and new files of a directory survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
