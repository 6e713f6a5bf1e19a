package store

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// Modes of what is kept: of the edge's user alone.
const (
	dirMode  = 0o700
	fileMode = 0o600
)

// fileName makes a name that is one path element on any file system, the same for the same text. Long ones are hashed.
func fileName(s string) string {
	name := url.QueryEscape(s)
	if len(name) > 180 || strings.HasPrefix(name, ".") || name == "" {
		sum := sha256.Sum256([]byte(s))
		return "=" + hex.EncodeToString(sum[:16])
	}
	return name
}

// originalName is the text of a fileName, false of a hashed one.
func originalName(name string) (string, bool) {
	s, err := url.QueryUnescape(name)
	return s, err == nil && !strings.HasPrefix(name, "=") && s != ""
}

// replace writes a file so that a reader sees the old one or the new one, whole. It is not forced to the disk: after a
// power cut the counts of seconds are gone, which were of a life of the edge that is over.
func replace(path string, b []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".tmp-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path) // CreateTemp's mode is fileMode
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
