package shadow

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/hotcut/hotcut/migration/shadow/record"
)

// sealed is a line of a recorder's file: what retention and purge must see, and the rest behind AES-256-GCM.
type sealed struct {
	Version int    `json:"v"`
	Tenant  string `json:"tenant"`
	At      int64  `json:"at"` // unix ns of the first message
	Seal    []byte `json:"seal"`
}

// maxLine bounds a line that is read: the largest exchange that is written is smaller.
const maxLine = 64 << 20

// ErrSeal is a line that the secret does not open: another one wrote it, or somebody changed it.
var ErrSeal = errors.New("sealed with another secret, or damaged")

type seal struct{ aead cipher.AEAD }

func newSeal(secret []byte) *seal {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte("hotcut shadow recorder"))
	block, err := aes.NewCipher(h.Sum(nil))
	if err != nil {
		panic(err) // 32 bytes are a key
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return &seal{aead}
}

func bound(tenant string, at int64) []byte { return fmt.Appendf(nil, "%s %d", tenant, at) }

func (s *seal) line(x *record.Exchange) ([]byte, error) {
	if len(x.Near.Messages) == 0 {
		return nil, errors.New("no message was kept")
	}
	plain, err := json.Marshal(x)
	if err != nil {
		return nil, err
	}
	at := x.Near.Messages[0].At
	nonce := make([]byte, s.aead.NonceSize(), s.aead.NonceSize()+len(plain)+s.aead.Overhead())
	rand.Read(nonce)
	line, err := json.Marshal(sealed{Version: 1, Tenant: x.Tenant, At: at, Seal: s.aead.Seal(nonce, nonce, plain, bound(x.Tenant, at))})
	return append(line, '\n'), err
}

func (s *seal) open(l *sealed) (*record.Exchange, error) {
	n := s.aead.NonceSize()
	if l.Version != 1 || len(l.Seal) < n {
		return nil, ErrSeal
	}
	plain, err := s.aead.Open(nil, l.Seal[:n], l.Seal[n:], bound(l.Tenant, l.At))
	if err != nil {
		return nil, ErrSeal
	}
	x := &record.Exchange{}
	if err := json.Unmarshal(plain, x); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSeal, err)
	}
	return x, nil
}

// lines reads a recorder's file. A last line that was cut off, by a crash, is passed over.
func lines(path string, each func(l *sealed, raw []byte) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<16)
	for n := 1; ; n++ {
		raw, err := readLine(in)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%s, line %d: %w", path, n, err)
		}
		var l sealed
		if err := json.Unmarshal(raw, &l); err != nil {
			return fmt.Errorf("%s, line %d: %w", path, n, err)
		}
		if err := each(&l, raw); err != nil {
			return fmt.Errorf("%s, line %d: %w", path, n, err)
		}
	}
}

func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(line)+len(part) > maxLine {
			return nil, fmt.Errorf("longer than %d bytes", maxLine)
		}
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// Prune rewrites a recorder's file without the lines that keep says false of (a tenant's, for purge; those before a moment, for
// retention) and says how many went. A recorder that has it open goes on in the new file within a second; what it wrote meanwhile is lost.
func Prune(path string, keep func(tenant string, at int64) bool) (removed int, err error) {
	out, err := os.CreateTemp(filepath.Dir(path), ".prune-*")
	if err != nil {
		return 0, err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	w := bufio.NewWriter(out)
	err = lines(path, func(l *sealed, raw []byte) error {
		if !keep(l.Tenant, l.At) {
			removed++
			return nil
		}
		_, err := w.Write(raw)
		return err
	})
	if err != nil || removed == 0 {
		return 0, err
	}
	if err := errors.Join(w.Flush(), out.Sync(), out.Close()); err != nil {
		return 0, err
	}
	return removed, os.Rename(out.Name(), path)
}
