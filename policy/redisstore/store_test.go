package redisstore_test

import (
	"testing"

	"github.com/alicebob/miniredis/v2"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/policy/redisstore"
	"github.com/hotcut/hotcut/policy/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) policy.Store { return open(t, miniredis.RunT(t)) })
}

// Several handles are several processes: nothing but Redis is between them.
func TestWritersOfSeveralProcesses(t *testing.T) {
	m := miniredis.RunT(t)
	var handles []policy.Store
	for range 8 {
		handles = append(handles, open(t, m))
	}
	storetest.Writers(t, handles, 16, 6)
}

func open(t testing.TB, m *miniredis.Miniredis, opts ...redisstore.Option) *redisstore.Store {
	t.Helper()
	opts = append([]redisstore.Option{redisstore.CheckpointEvery(40, 3)}, opts...)
	s, err := redisstore.Open(t.Context(), "redis://"+m.Addr(), "test", opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
