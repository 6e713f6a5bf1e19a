package policy

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// exportHeader is the first line of an export. A tenant follows on each other line, in canonical JSON, sorted by id.
type exportHeader struct {
	Hotcut     string  `json:"hotcut"` // "policy"
	Schema     int     `json:"schema"`
	Epoch      string  `json:"epoch"`
	Rev        uint64  `json:"rev"`
	Chain      string  `json:"chain"`
	Root       string  `json:"root"`
	GlobalsRev uint64  `json:"globalsRev"`
	Tenants    int     `json:"tenants"`
	Globals    Globals `json:"globals"`
}

// Encode writes the export format: JSON lines, a header and then a tenant per line. Equal policies give equal bytes.
// Overrides are no part of it.
func (s *Snapshot) Encode(w io.Writer) error {
	b, err := canonical(exportHeader{
		Hotcut: "policy", Schema: Schema, Epoch: s.epoch, Rev: s.rev, Chain: s.chain, Root: s.Root(),
		GlobalsRev: s.globalsRev, Tenants: s.tenants.n, Globals: s.globals,
	})
	if err != nil {
		return err
	}
	bw := bufio.NewWriterSize(w, 64<<10)
	bw.Write(b)
	bw.WriteByte('\n')
	for r := range s.All() {
		if b, err = r.Tenant.Canonical(); err != nil {
			return fmt.Errorf("tenant %s: %w", r.Tenant.ID, err)
		}
		bw.Write(b)
		bw.WriteByte('\n')
	}
	return bw.Flush() // holds the first error of all the writes
}

// Decode reads an export, validates all of it and verifies its root. What is cut short, changed or not canonical is
// refused.
func Decode(r io.Reader) (*Snapshot, error) {
	br := bufio.NewReaderSize(r, 128<<10)
	line, err := readLine(br, MaxGlobals+4096)
	if err != nil {
		return nil, fmt.Errorf("policy export: header: %w", err)
	}
	var h exportHeader
	if err := parseStrict(line, &h, MaxGlobals+4096); err != nil {
		return nil, fmt.Errorf("policy export: header: %w", err)
	}
	switch {
	case h.Hotcut != "policy":
		return nil, errors.New("this is no policy export: its first line does not say {\"hotcut\":\"policy\"")
	case h.Schema != Schema:
		return nil, fmt.Errorf("policy export of schema %d: this build reads %d", h.Schema, Schema)
	case h.Tenants < 0 || h.Tenants > MaxTenants:
		return nil, fmt.Errorf("policy export of %d tenants: at most %d", h.Tenants, MaxTenants)
	case h.Root == "":
		return nil, errors.New("policy export without a root: it can not be verified")
	}
	lines := make([][]byte, 0, min(h.Tenants, 4096)) // the count is a claim; memory grows with what is there
	for len(lines) < h.Tenants {
		line, err := readLine(br, MaxRecord)
		if err != nil {
			return nil, fmt.Errorf("policy export: tenant %d of %d: %w", len(lines)+1, h.Tenants, err)
		}
		lines = append(lines, bytes.Clone(line))
	}
	if _, err := br.ReadByte(); err != io.EOF {
		return nil, fmt.Errorf("policy export: more follows after its %d tenants", h.Tenants)
	}
	recs := make([]*Record, len(lines))
	bad := make([][]Fault, len(lines))
	each(len(lines), func(i int) { recs[i], bad[i] = decodeRecord(i, lines[i]) })
	head := Head{Epoch: h.Epoch, Rev: h.Rev, Chain: h.Chain, Root: h.Root}
	return fromRecords(head, h.Globals, h.GlobalsRev, recs, slices.Concat(bad...))
}

// decodeRecord takes a line only if it is exactly what Encode writes: that also refuses unknown, double and misspelt names.
func decodeRecord(i int, line []byte) (*Record, []Fault) {
	at := fmt.Sprintf("line %d", i+2)
	t := new(Tenant)
	if err := json.Unmarshal(line, t); err != nil {
		return nil, []Fault{{Field: at, Problem: err.Error()}}
	}
	b, err := t.Canonical()
	if err != nil {
		return nil, []Fault{{Tenant: clip(t.ID, 63), Field: at, Problem: err.Error()}}
	}
	if !bytes.Equal(b, line) {
		return nil, []Fault{{Tenant: clip(t.ID, 63), Field: at, Problem: "is not canonical JSON of a tenant of schema 1", Fix: "export it again; edit a policy with `hotcut tenant set`"}}
	}
	return compile(t, line)
}

// readLine returns a line without its newline, valid until the next call. A longer one than limit is an error, as is
// one without a newline.
func readLine(br *bufio.Reader, limit int) ([]byte, error) {
	line, err := br.ReadSlice('\n')
	if err == nil && len(line)-1 <= limit {
		return line[:len(line)-1], nil
	}
	var long []byte
	for {
		long = append(long, line...)
		switch {
		case len(long) > limit+1:
			return nil, fmt.Errorf("a line is longer than %d bytes", limit)
		case err == nil:
			return long[:len(long)-1], nil
		case err == io.EOF:
			return nil, io.ErrUnexpectedEOF
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
		line, err = br.ReadSlice('\n')
	}
}
