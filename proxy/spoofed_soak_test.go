//go:build soak

package proxy

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// The soak has the tables of the defaults: see `make soak`.
const (
	spoofedSources = 10_000_000
	spoofedTables  = 0
	spoofedSlack   = 24 << 20
)

var spoofedMemory = peak

// peak is the most memory that this process has ever had.
func peak(t *testing.T) int64 {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("no /proc: resident memory can not be read here")
	}
	_, line, _ := strings.Cut(string(b), "VmHWM:")
	line, _, _ = strings.Cut(line, "kB")
	kb, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}
