package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/migration/shadow"
	"github.com/hotcut/hotcut/migration/shadow/compare"
	shadowreport "github.com/hotcut/hotcut/migration/shadow/report"
	"github.com/hotcut/hotcut/migration/shadow/store"
)

// shadowShown is what an edge says of its mirror, and of what it can read of all edges' counts.
type shadowShown struct {
	Edge     string            `json:"edge"`
	Shared   bool              `json:"shared"` // the counts are those of all edges; else of this one
	Mirror   shadow.Stats      `json:"mirror"`
	Kept     store.KeeperStats `json:"kept"`
	Compared uint64            `json:"compared"` // since this edge started
	Missing  uint64            `json:"missing"`

	Rows   []shadowRow                          `json:"rows,omitempty"` // of all mirrored tenants, where none was named
	Tenant *compare.Tenant                      `json:"tenant,omitempty"`
	Triage map[compare.ClusterID]compare.Triage `json:"triage,omitempty"`
	Damage []string                             `json:"damage,omitempty"`
}

// shadowRow is one tenant in short.
type shadowRow struct {
	Tenant   string       `json:"tenant"`
	Build    string       `json:"build"`
	Sampled  uint64       `json:"sampled"`
	Compared uint64       `json:"compared"`
	Missing  uint64       `json:"missing"`
	Critical compare.Rate `json:"critical"` // of the newest build
	Major    compare.Rate `json:"major"`
}

// Bounds of one question to an edge.
const (
	shadowTime    = 20 * time.Second
	maxShadowRows = 200
	rowsFor       = 5 * time.Second // status -w and many people may ask for the same
)

func (s *edgeShadow) show(tenant string) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(context.Background(), shadowTime)
	defer cancel()
	x := shadowShown{Edge: s.node, Shared: s.shared, Mirror: s.mirror.Stats(), Kept: s.kept.keeper.Stats(), Compared: s.compared.Load(), Missing: s.missing.Load()}
	var err error
	if tenant == "" {
		x.Rows, err = s.rows.get(time.Now(), func() ([]shadowRow, error) { return s.mirroredRows(ctx) })
	} else {
		x.Tenant, x.Triage, x.Damage, err = readShadow(ctx, s.kept.store, tenant)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(x)
}

func readShadow(ctx context.Context, st store.Store, tenant string) (*compare.Tenant, map[compare.ClusterID]compare.Triage, []string, error) {
	sum, damage, err := st.Read(ctx, tenant)
	if err != nil {
		return nil, nil, nil, err
	}
	triage, err := st.Triage(ctx, tenant)
	return sum.Tenants[tenant], triage, damage, err
}

// mirroredRows are the tenants that the policy mirrors.
func (s *edgeShadow) mirroredRows(ctx context.Context) ([]shadowRow, error) {
	rows := []shadowRow{}
	snap := s.snapshot()
	if snap == nil {
		return rows, nil
	}
	for r := range snap.All() {
		if !migration.Mirrored(r.Tenant) || len(rows) == maxShadowRows {
			continue
		}
		counts, triage, _, err := readShadow(ctx, s.kept.store, r.Tenant.ID)
		if err != nil {
			return nil, err
		}
		rows = append(rows, shadowRowOf(r.Tenant.ID, counts, triage, time.Now()))
	}
	return rows, nil
}

func shadowRowOf(tenant string, counts *compare.Tenant, triage map[compare.ClusterID]compare.Triage, now time.Time) shadowRow {
	x := compare.Summarise(tallyOf(tenant, counts), triage, tenant, now)
	row := shadowRow{Tenant: tenant, Build: x.Build, Sampled: x.Sampled, Compared: x.Compared.Count, Missing: x.Sampled - x.Compared.Count}
	for _, r := range x.Severities {
		switch r.Severity {
		case compare.Critical:
			row.Critical = r.Rate
		case compare.Major:
			row.Major = r.Rate
		}
	}
	return row
}

func tallyOf(tenant string, counts *compare.Tenant) *compare.Tally {
	t := &compare.Tally{Tenants: map[string]*compare.Tenant{}}
	if counts != nil {
		t.Tenants[tenant] = counts
	}
	return t
}

// rowCache keeps an answer for a moment.
type rowCache struct {
	mu   sync.Mutex // guards the rest, and lets one ask at a time
	at   time.Time
	rows []shadowRow
}

func (c *rowCache) get(now time.Time, read func() ([]shadowRow, error)) ([]shadowRow, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rows != nil && now.Sub(c.at) < rowsFor {
		return c.rows, nil
	}
	rows, err := read()
	if err == nil {
		c.rows, c.at = rows, now
	}
	return rows, err
}

// callToken begins every token of a Call-ID.
const callToken = "c~"

// call finds one call among those on this disk, then among those that all edges share.
func (s *edgeShadow) call(tenant, id string) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(context.Background(), shadowTime)
	defer cancel()
	tenants := []string{tenant}
	if tenant == "" {
		var err error
		if tenants, err = s.kept.store.Tenants(ctx); err != nil {
			return nil, err
		}
	}
	for _, t := range tenants {
		token := id
		if !strings.HasPrefix(id, callToken) {
			token = s.kept.redactor(t).CallID(id)
		}
		x, err := s.kept.exchanges.Find(t, token)
		if errors.Is(err, store.ErrNotFound) {
			x, err = s.kept.store.Find(ctx, t, token)
		}
		switch {
		case err == nil:
			return json.Marshal(shadowreport.PairOf(x.Verdict, x.Live, x.Shadow))
		case !errors.Is(err, store.ErrNotFound):
			return nil, err
		}
	}
	return json.RawMessage("null"), nil
}

// triageOrder is what a person says of a cluster, on its way to where it is kept.
type triageOrder struct {
	Tenant  string            `json:"tenant"`
	Cluster compare.ClusterID `json:"cluster"`
	Triage  compare.Triage    `json:"triage"`
}

func (s *edgeShadow) triage(raw json.RawMessage) error {
	ctx, cancel := context.WithTimeout(context.Background(), shadowTime)
	defer cancel()
	var q triageOrder
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&q); err != nil {
		return err
	}
	return s.kept.store.SetTriage(ctx, q.Tenant, q.Cluster, q.Triage)
}

func (s *edgeShadow) purge(tenant string) error {
	ctx, cancel := context.WithTimeout(context.Background(), shadowTime)
	defer cancel()
	return errors.Join(s.kept.store.Purge(ctx, tenant), s.kept.exchanges.Purge(tenant))
}

func (s *edgeShadow) flush() error {
	ctx, cancel := context.WithTimeout(context.Background(), shadowTime)
	defer cancel()
	return s.kept.keeper.Flush(ctx)
}
