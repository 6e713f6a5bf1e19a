package store

import (
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/compare"
	"github.com/hotcut/hotcut/migration/shadow/record"
)

// A fault of ours in the keeper ends the keeper: it says so, and what is put afterwards costs nobody anything.
func TestAFaultEndsTheKeeperOnly(t *testing.T) {
	files, err := OpenFiles(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	k, err := NewKeeper(KeeperOptions{Edge: "e1", Boot: "boot", Store: files, Redactor: func(string) *record.Redactor { panic("no such tenant") }})
	if err != nil {
		t.Fatal(err)
	}
	k.Put(verdict("acme", "c~1", time.Now(), compare.None), nil, nil)
	if err := k.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "no such tenant") || k.Stats().Failing != err.Error() {
		t.Errorf("Run ended with %v, the state is %+v", err, k.Stats())
	}
	k.Put(verdict("acme", "c~2", time.Now(), compare.None), nil, nil)
}
