package store

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/compare"
	"github.com/hotcut/hotcut/migration/shadow/record"
)

// Store is where the counts, the triage and the examples of all edges are. Redis and Files are the two.
type Store interface {
	// Write overwrites the counts that this life of an edge has of some tenants.
	Write(ctx context.Context, b *Batch) error
	// Read sums the counts of all edges: of one tenant, or of all for "". Damaged ones are left out and named in damage.
	Read(ctx context.Context, tenant string) (sum *compare.Tally, damage []string, err error)
	Tenants(ctx context.Context) ([]string, error)

	// Keep keeps an example for all to see. Find returns one by the token of its Call-ID, or ErrNotFound.
	Keep(ctx context.Context, x *Example) error
	Find(ctx context.Context, tenant, token string) (*Example, error)

	Triage(ctx context.Context, tenant string) (map[compare.ClusterID]compare.Triage, error)
	SetTriage(ctx context.Context, tenant string, id compare.ClusterID, t compare.Triage) error

	// Purge deletes all of a tenant and leaves a mark, by which edges delete what they have of it.
	Purge(ctx context.Context, tenant string) error
	// Marks are the purges of the retention: Mark(tenant) -> unix ms.
	Marks(ctx context.Context) (map[string]int64, error)

	Close() error
}

// ErrNotFound: no such example is kept, or no longer.
var ErrNotFound = errors.New("no such call is kept")

// Batch is what one life of an edge writes at a time.
type Batch struct {
	Edge, Boot string
	Tenants    map[string][]byte // JSON of compare.Tenant
	// Gone are tenants that were purged while their counts were being written, with the tokens of examples that were: all
	// that may have crossed the purge.
	Gone map[string][]string
}

// Encode makes a batch of tenants of a tally.
func Encode(t *compare.Tally, tenants []string) (*Batch, error) {
	b := &Batch{Edge: t.Edge, Boot: t.Boot, Tenants: make(map[string][]byte, len(tenants))}
	var errs []error
	for _, name := range tenants {
		c := t.Tenants[name]
		if c == nil {
			continue
		}
		raw, err := json.Marshal(c)
		if err == nil && len(raw) > compare.MaxTenantBytes {
			err = fmt.Errorf("%d bytes, at most %d", len(raw), compare.MaxTenantBytes)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("counts of tenant %s: %w", name, err))
			continue
		}
		b.Tenants[name] = raw
	}
	return b, errors.Join(errs...)
}

// Example is one call with all that was kept of it, redacted.
type Example struct {
	Verdict *compare.Verdict `json:"verdict"`
	Live    *record.Exchange `json:"live,omitempty"`
	Shadow  *record.Exchange `json:"shadow,omitempty"`
}

// Options of a store. What has a default may be left out.
type Options struct {
	Retention time.Duration // 30 days; at least a minute
	MaxBytes  int64         // of exchanges on this disk; 1 GiB
	Yield     func()        // called between the steps of keeping an exchange, for who has something more urgent; nil: nothing
	Log       *slog.Logger
	Now       func() time.Time
}

func (o *Options) defaults() {
	o.Retention = max(cmp.Or(o.Retention, 30*24*time.Hour), time.Minute)
	o.MaxBytes = cmp.Or(o.MaxBytes, 1<<30)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Yield == nil {
		o.Yield = func() {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

// Open returns the store that edges share: Redis if url is one of Redis' URLs (the forms of policy/redisstore), else files
// below the state directory, which one machine shares.
func Open(url, stateDir string, o Options) (Store, error) {
	if strings.HasPrefix(url, "redis") && strings.Contains(url, "://") {
		return OpenRedis(url, o)
	}
	return OpenFiles(stateDir, o)
}

// Folder of shadow calls below a state directory.
func folder(stateDir string, parts ...string) string {
	return filepath.Join(append([]string{stateDir, "shadow"}, parts...)...)
}

// Mark names a tenant in what is left of it after a purge: nobody can read from it whose calls they were.
func Mark(tenant string) string {
	sum := sha256.Sum256([]byte("hotcut shadow purged " + tenant))
	return hex.EncodeToString(sum[:16])
}

// Bounds of names.
const (
	maxName    = 128
	maxExample = 64 << 10 // bytes of one in Redis: without its messages if they do not fit
	maxCalls   = 1000     // examples of a tenant in Redis
	maxTriages = 4096     // of a tenant
	maxLives   = 4096     // of edges, of a tenant
)

func checkNames(edge, boot string) error {
	for _, s := range []string{edge, boot} {
		if s == "" || len(s) > maxName || strings.ContainsAny(s, "|\x00") {
			return fmt.Errorf("edge %.140q, boot %.140q: 1 to %d bytes each, without |", edge, boot, maxName)
		}
	}
	return nil
}

func checkTenant(tenant string) error {
	if tenant == "" || len(tenant) > maxName || strings.ContainsAny(tenant, "{}\x00") {
		return fmt.Errorf("tenant %.140q: 1 to %d bytes, without { and }", tenant, maxName)
	}
	return nil
}

// encode an example in at most so many bytes: what does not fit loses the messages, then the records.
func (x *Example) encode(most int) ([]byte, error) {
	if x.Verdict == nil || x.Verdict.CallID == "" {
		return nil, errors.New("an example needs a verdict with a token")
	}
	short := *x.Verdict
	short.Live, short.Shadow = nil, nil
	for _, try := range []Example{*x, {Verdict: x.Verdict}, {Verdict: &short}} {
		b, err := json.Marshal(try)
		if err != nil || len(b) <= most {
			return b, err
		}
	}
	return nil, fmt.Errorf("a verdict of more than %d bytes", most)
}

// encodeExample is json.Marshal in steps: yield is called between them.
func encodeExample(x *Example, yield func()) ([]byte, error) {
	parts := []Example{{Verdict: x.Verdict}, {Live: x.Live}, {Shadow: x.Shadow}}
	const empty = `{"verdict":null` // how the later parts begin
	var out []byte
	for i := range parts {
		b, err := json.Marshal(&parts[i])
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b = b[len(empty):]
		}
		out = append(bytes.TrimSuffix(out, []byte("}")), b...)
		yield()
	}
	return out, nil
}

func decodeExample(b []byte) (*Example, error) {
	x := new(Example)
	if err := json.Unmarshal(b, x); err != nil {
		return nil, err
	}
	if x.Verdict == nil {
		return nil, errors.New("an example without a verdict")
	}
	return x, nil
}

// decodeTriage leaves out what is no triage: a damaged entry must not block the others.
func decodeTriage(id, raw string) (compare.Triage, error) {
	var t compare.Triage
	if err := json.Unmarshal([]byte(raw), &t); err != nil {
		return t, fmt.Errorf("triage of %.20q: %w", id, err)
	}
	return t, nil
}

func checkTriage(id compare.ClusterID, t compare.Triage) error {
	if id == "" || len(id) > maxName {
		return fmt.Errorf("cluster %.140q: 1 to %d bytes", string(id), maxName)
	}
	return t.Check()
}
