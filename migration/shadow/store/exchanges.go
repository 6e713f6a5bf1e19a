package store

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"
)

const (
	maxLine  = 4 << 20  // bytes of one exchange
	fileSize = 16 << 20 // bytes of one file
	fileAge  = 24 * time.Hour
	suffix   = ".jsonl"
)

// Exchanges are the whole calls that one edge has seen, a JSON line each, in a folder per tenant. Retention goes by file:
// a file goes when its first call is that old. Over the bound in bytes the oldest file of all tenants goes.
type Exchanges struct {
	o   Options
	dir string // .../shadow

	mu     sync.Mutex        // guards what follows
	open   map[string]string // tenant's folder -> the file that this process appends to
	size   map[string]int64  // path -> bytes
	total  int64
	pushed uint64 // files that the bound removed
}

// OpenExchanges looks at what is there. One process appends; others may read and remove.
func OpenExchanges(stateDir string, o Options) (*Exchanges, error) {
	if stateDir == "" {
		return nil, errors.New("shadow: exchanges need a state directory")
	}
	o.defaults()
	e := &Exchanges{o: o, dir: folder(stateDir), open: make(map[string]string), size: make(map[string]int64)}
	for _, path := range exchangeFiles(e.dir) {
		if info, err := os.Stat(path); err == nil {
			e.size[path] = info.Size()
			e.total += info.Size()
		}
	}
	return e, e.Sweep()
}

// exchangeFiles of all tenants, below the folder of shadow calls.
func exchangeFiles(dir string) []string {
	var paths []string
	for _, tenant := range names(filepath.Join(dir, "exchanges")) {
		paths = append(paths, tenantFiles(dir, tenant)...)
	}
	return paths
}

// tenantFiles are a tenant's, oldest first.
func tenantFiles(dir, folder string) []string {
	var paths []string
	for _, name := range names(filepath.Join(dir, "exchanges", folder)) {
		if _, ok := unixMilli(name, suffix); ok {
			paths = append(paths, filepath.Join(dir, "exchanges", folder, name))
		}
	}
	slices.SortFunc(paths, olderFirst)
	return paths
}

func olderFirst(a, b string) int {
	ta, _ := unixMilli(filepath.Base(a), suffix)
	tb, _ := unixMilli(filepath.Base(b), suffix)
	return cmp.Or(ta.Compare(tb), cmp.Compare(a, b))
}

// Append keeps one redacted example.
func (e *Exchanges) Append(x *Example) error {
	if err := checkTenant(x.Verdict.Tenant); err != nil {
		return err
	}
	line, err := encodeExample(x, e.o.Yield)
	if err != nil {
		return err
	}
	if len(line) >= maxLine {
		return fmt.Errorf("an exchange of %d bytes, at most %d", len(line), maxLine)
	}
	line = append(line, '\n')
	e.mu.Lock()
	defer e.mu.Unlock()
	path := e.current(fileName(x.Verdict.Tenant))
	f, err := openAppending(path)
	if err != nil {
		return err
	}
	n, err := f.Write(line)
	e.size[path] += int64(n)
	e.total += int64(n)
	if err = errors.Join(err, f.Close()); err != nil {
		delete(e.open, fileName(x.Verdict.Tenant)) // a torn line ends its file
	}
	return errors.Join(err, e.bound())
}

// openAppending opens a file anew for each line: whoever purges a tenant removes it, and nothing may be written after that to where it was.
func openAppending(path string) (*os.File, error) {
	const flags = os.O_WRONLY | os.O_APPEND | os.O_CREATE
	f, err := os.OpenFile(path, flags, fileMode)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(path), dirMode); err != nil {
			return nil, err
		}
		f, err = os.OpenFile(path, flags, fileMode)
	}
	return f, err
}

// current is the file to append to: another one when it is full or a day old.
func (e *Exchanges) current(folder string) string {
	now := e.o.Now()
	path := e.open[folder]
	if begun, ok := unixMilli(filepath.Base(path), suffix); ok && e.size[path] < fileSize && now.Sub(begun) < fileAge {
		return path
	}
	for ms := now.UnixMilli(); ; ms++ {
		path = filepath.Join(e.dir, "exchanges", folder, strconv.FormatInt(ms, 10)+suffix)
		if _, taken := e.size[path]; !taken {
			e.open[folder] = path
			return path
		}
	}
}

// bound removes the oldest files until the rest fits.
func (e *Exchanges) bound() error {
	if e.total <= e.o.MaxBytes {
		return nil
	}
	paths := make([]string, 0, len(e.size))
	for path := range e.size {
		paths = append(paths, path)
	}
	slices.SortFunc(paths, olderFirst)
	var errs []error
	for _, path := range paths {
		if e.total <= e.o.MaxBytes {
			break
		}
		e.pushed++
		errs = append(errs, e.drop(path))
	}
	return errors.Join(errs...)
}

// Pushed is how many files the bound in bytes removed before their time.
func (e *Exchanges) Pushed() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.pushed
}

func (e *Exchanges) drop(path string) error {
	e.total -= e.size[path]
	delete(e.size, path)
	folder := filepath.Base(filepath.Dir(path))
	if e.open[folder] == path {
		delete(e.open, folder)
	}
	err := remove(path)
	os.Remove(filepath.Dir(path)) // only if it is empty
	return err
}

// Sweep removes what has outlived the retention, and learns of what others removed.
func (e *Exchanges) Sweep() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	old := e.o.Now().Add(-e.o.Retention)
	var errs []error
	for path := range e.size {
		begun, _ := unixMilli(filepath.Base(path), suffix)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || begun.Before(old) {
			errs = append(errs, e.drop(path))
		}
	}
	return errors.Join(errs...)
}

// Purge removes all of a tenant.
func (e *Exchanges) Purge(tenant string) error { return e.purge(fileName(tenant)) }

func (e *Exchanges) purge(folder string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for path := range e.size {
		if filepath.Base(filepath.Dir(path)) == folder {
			e.total -= e.size[path]
			delete(e.size, path)
		}
	}
	delete(e.open, folder)
	return os.RemoveAll(filepath.Join(e.dir, "exchanges", folder))
}

// PurgeMarked removes what is older than the marks of its tenant: this edge was down when it was purged.
func (e *Exchanges) PurgeMarked(marks map[string]int64) error {
	var errs []error
	for _, folder := range names(filepath.Join(e.dir, "exchanges")) {
		tenant, ok := originalName(folder)
		if !ok {
			tenant = e.tenantOf(folder)
		}
		at, marked := marks[Mark(tenant)]
		if !marked {
			continue
		}
		// A file that began before the mark holds what was before it.
		older := slices.ContainsFunc(tenantFiles(e.dir, folder), func(path string) bool {
			begun, _ := unixMilli(filepath.Base(path), suffix)
			return begun.UnixMilli() <= at
		})
		if older {
			errs = append(errs, e.purge(folder))
		}
	}
	return errors.Join(errs...)
}

// tenantOf a folder whose name is a hash: its calls name it.
func (e *Exchanges) tenantOf(folder string) (tenant string) {
	for _, path := range tenantFiles(e.dir, folder) {
		scan(path, func(line []byte) bool {
			if x, err := decodeExample(line); err == nil {
				tenant = x.Verdict.Tenant
			}
			return tenant == ""
		})
		if tenant != "" {
			return tenant
		}
	}
	return ""
}

// Find is an example by its token, the newest first.
func (e *Exchanges) Find(tenant, token string) (*Example, error) {
	return findExchange(e.dir, tenant, token)
}

func findExchange(dir, tenant, token string) (*Example, error) {
	if token == "" {
		return nil, ErrNotFound
	}
	if err := checkTenant(tenant); err != nil {
		return nil, err
	}
	quoted, err := json.Marshal(token)
	if err != nil {
		return nil, err
	}
	paths := tenantFiles(dir, fileName(tenant))
	var found *Example
	for _, path := range slices.Backward(paths) {
		err := scan(path, func(line []byte) bool {
			if bytes.Contains(line, quoted) {
				if x, err := decodeExample(line); err == nil && x.Verdict.CallID == token {
					found = x // the last one of a file counts
				}
			}
			return true
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if found != nil {
			return found, nil
		}
	}
	return nil, ErrNotFound
}

// scan gives each line of a file to f until it says false. Lines that are too long are passed over.
func scan(path string, f func(line []byte) bool) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	r := bufio.NewReaderSize(file, 64<<10)
	var line []byte
	long := false
	for {
		part, err := r.ReadSlice('\n')
		if long = long || len(line)+len(part) > maxLine; !long {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err == nil || errors.Is(err, io.EOF):
			if !long && len(line) > 0 && !f(bytes.TrimSuffix(line, []byte("\n"))) {
				return nil
			}
			if err != nil {
				return nil
			}
			line, long = line[:0], false
		default:
			return err
		}
	}
}
