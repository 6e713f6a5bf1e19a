package location

import (
	"runtime"
	"sync/atomic"
	"testing"
)

func BenchmarkGet(b *testing.B) {
	table := open(b, Options{})
	ids := make([]ID, 100_000)
	for i := range ids {
		p := phone(i)
		ids[i] = p.ID
		table.Put(p)
	}
	b.ReportAllocs()
	b.ResetTimer()
	var seed atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		for i := seed.Add(7919); pb.Next(); i++ {
			if table.Get(ids[int(i)%len(ids)]) == nil {
				b.Error("lost")
			}
		}
	})
}

func BenchmarkRefresh(b *testing.B) {
	table := open(b, Options{})
	table.Put(phone(1))
	b.ReportAllocs()
	for b.Loop() {
		p := table.Get(phone1).Clone()
		p.Stamp++
		table.Put(p)
	}
}

var phone1 = phone(1).ID

func BenchmarkSweepNothing(b *testing.B) {
	table := open(b, Options{})
	for i := range DefaultLimit {
		table.Put(phone(i))
	}
	for b.Loop() {
		table.Sweep(noon)
	}
}

func BenchmarkRecord(b *testing.B) {
	p := phone(12345)
	raw, err := AppendRecord(nil, p)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("append", func(b *testing.B) {
		b.SetBytes(int64(len(raw)))
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			buf, _ = AppendRecord(buf[:0], p)
		}
	})
	b.Run("parse", func(b *testing.B) {
		b.SetBytes(int64(len(raw)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ParseRecord(raw); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// What doc.go promises of memory: a binding of a real phone, all it hangs in included.
func TestMemory(t *testing.T) {
	const n, most = 20_000, 1100
	inUse := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := inUse()
	table := open(t, Options{Limit: n})
	for i := range n {
		raw, err := AppendRecord(nil, phone(i))
		if err != nil {
			t.Fatal(err)
		}
		b, err := ParseRecord(raw)
		if err != nil {
			t.Fatal(err)
		}
		table.Put(b)
	}
	each := (inUse() - before) / n
	t.Logf("%d bytes per binding", each)
	if each > most {
		t.Errorf("a binding takes %d bytes, doc.go says about 900: at most %d", each, most)
	}
	runtime.KeepAlive(table)
}
