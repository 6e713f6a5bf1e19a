package callrecord

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"
)

// fill sets what v holds at random, some of it left empty.
func fill(r *rand.Rand, v reflect.Value) {
	if r.IntN(4) == 0 {
		return
	}
	switch v.Kind() {
	case reflect.String:
		words := []string{"a", "sip:bob@acme.example", "a\"b\\c", "<&>", "\x00\x7f\x80", "\u2028é", "\n"}
		v.SetString(words[r.IntN(len(words))])
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(r.Int64() - r.Int64())
	case reflect.Uint16, reflect.Uint64:
		v.SetUint(r.Uint64() >> 48)
	case reflect.Float64:
		v.SetFloat(r.NormFloat64())
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(r, v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), r.IntN(3), 3))
		for i := range v.Len() {
			fill(r, v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(r, v.Field(i))
		}
	default:
		panic("a field of kind " + v.Kind().String() + ": teach fill and appendLine")
	}
}

// Every field of a record is written as encoding/json would: one that appendLine does not know fails here.
func TestLinesAreJSON(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		var rec Record
		for v, i := reflect.ValueOf(&rec).Elem(), 0; i < v.NumField(); i++ {
			fill(r, v.Field(i))
		}
		want, err := json.Marshal(&rec)
		if err != nil {
			t.Fatal(err)
		}
		got, err := appendLine([]byte("before"), &rec)
		if err != nil || string(got) != "before"+string(want)+"\n" {
			t.Fatalf("%v\ngot  %swant %s", err, got, want)
		}
	}
}

func BenchmarkLine(b *testing.B) {
	rec := full()
	rec.PlatformCodes = nil
	buf := make([]byte, 0, 4096)
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			appendLine(buf, &rec)
		}
	})
	b.Run("json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			json.Marshal(&rec)
		}
	})
}
