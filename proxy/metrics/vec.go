package metrics

import (
	"fmt"
	"strings"
	"sync/atomic"
)

// cell is a counter on a cache line of its own, so that two cores that count different things do not meet.
type cell struct {
	n atomic.Uint64
	_ [56]byte
}

// Vec is a counter with a fixed set of series. Its methods may be called from anywhere.
type Vec struct {
	name   string
	labels []string // whole series names, for Snapshot
	cells  []cell
}

// Add counts n more of series i, the index into the labels that the counter was registered with. An i that is none is
// a mistake of the program and panics.
func (v *Vec) Add(i int, n uint64) { v.cells[i].n.Add(n) }

// Inc counts one more of series i.
func (v *Vec) Inc(i int) { v.cells[i].n.Add(1) }

// Value reads series i.
func (v *Vec) Value(i int) uint64 { return v.cells[i].n.Load() }

// Len is the number of series.
func (v *Vec) Len() int { return len(v.cells) }

// Snapshot reads every counter, by the name that its series has in Prometheus.
func (s *Set) Snapshot() map[string]uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]uint64)
	for _, v := range s.vecs {
		for i := range v.cells {
			out[v.labels[i]] = v.Value(i)
		}
	}
	return out
}

// seriesNames are name{label="value",...} for every entry of labels.
func seriesNames(name string, names, labels []string) []string {
	if len(names) == 0 {
		return []string{name}
	}
	out := make([]string, len(labels))
	for i, l := range labels {
		var pairs []string
		for j, value := range strings.Split(l, ",") {
			pairs = append(pairs, fmt.Sprintf("%s=%q", names[j], value))
		}
		out[i] = name + "{" + strings.Join(pairs, ",") + "}"
	}
	return out
}
