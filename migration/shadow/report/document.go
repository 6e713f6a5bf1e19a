package report

import (
	"slices"

	"github.com/hotcut/hotcut/migration/shadow/compare"
	"github.com/hotcut/hotcut/migration/shadow/record"
)

// Document is everything that a report shows.
type Document struct {
	compare.Summary
	Examples map[compare.ClusterID]*Pair `json:"examples"` // at most one per cluster: those of which the messages are kept
	Notes    []string                    `json:"notes"`    // what is not in here, and why
}

// Pair is one call on both sides. Its messages are redacted.
type Pair struct {
	CallID      string               `json:"call_id"` // token
	Scenario    string               `json:"scenario"`
	Build       string               `json:"build,omitempty"`
	At          int64                `json:"at"`                // unix ns
	Missing     string               `json:"missing,omitempty"` // why it was not compared; then there are no differences
	Differences []compare.Difference `json:"differences"`
	Live        *record.Exchange     `json:"live"`
	Shadow      *record.Exchange     `json:"shadow"`
}

// PairOf puts a verdict and its two exchanges together.
func PairOf(v *compare.Verdict, live, shadow *record.Exchange) *Pair {
	p := &Pair{CallID: v.CallID, Scenario: v.Scenario, Build: v.Build, At: v.At, Missing: v.Missing, Differences: v.Differences, Live: live, Shadow: shadow}
	if p.Differences == nil {
		p.Differences = []compare.Difference{}
	}
	return p
}

// disclaimer stands in every report.
const disclaimer = "This is evidence, not permission: whether it is enough to move the tenant is not measured by this build."

// Matrix is the outcomes of both sides as rows and columns.
type Matrix struct {
	Live   []string // rows
	Shadow []string // columns
	Cells  [][]compare.Cell
	N      uint64
}

// matrixOf orders classes as record.Classes does; what else stands in the cells comes behind them.
func matrixOf(cells []compare.Cell) Matrix {
	var m Matrix
	rank := func(class string) int {
		if i := slices.Index(record.Classes, record.Class(class)); i >= 0 {
			return i
		}
		return len(record.Classes)
	}
	for _, c := range cells {
		m.Live, m.Shadow = append(m.Live, c.Live), append(m.Shadow, c.Shadow)
		m.N += c.N
	}
	for _, side := range []*[]string{&m.Live, &m.Shadow} {
		slices.Sort(*side)
		*side = slices.Compact(*side)
		slices.SortStableFunc(*side, func(a, b string) int { return rank(a) - rank(b) })
	}
	m.Cells = make([][]compare.Cell, len(m.Live))
	for i, live := range m.Live {
		m.Cells[i] = make([]compare.Cell, len(m.Shadow))
		for j, shadow := range m.Shadow {
			m.Cells[i][j] = compare.Cell{Live: live, Shadow: shadow}
		}
	}
	for _, c := range cells {
		i, j := slices.Index(m.Live, c.Live), slices.Index(m.Shadow, c.Shadow)
		m.Cells[i][j].N += c.N
		m.Cells[i][j].Rate = c.Rate
	}
	return m
}
