package filestore_test

import (
	"testing"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/policy/filestore"
	"github.com/hotcut/hotcut/policy/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) policy.Store { return open(t, t.TempDir()+"/store") })
}

// Four handles on one directory commit as four processes would: only the flock and the files are between them.
func TestWritersOfSeveralProcesses(t *testing.T) {
	dir := t.TempDir()
	var handles []policy.Store
	for range 4 {
		handles = append(handles, open(t, dir))
	}
	storetest.Writers(t, handles, 16, 6)
}

func open(t *testing.T, dir string) *filestore.Store {
	t.Helper()
	s, err := filestore.Open(dir, filestore.CheckpointEvery(40, 3))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
