package choice

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzSlots opens files whose slots hold any bytes under a checksum that fits, as an
// edited or a lucky torn file has them. Nothing panics, and the tables work.
func FuzzSlots(f *testing.F) {
	f.Add([]byte{}, true)
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), true)
	dialog := dialogOf(1)
	var b [dialogBytes]byte
	encodeDialog(&b, &dialog)
	f.Add(b[:], true)
	b[callIDLenAt], b[tenantLenAt] = 255, 255
	f.Add(b[:], true)
	f.Add(append(b[:], b[:]...), true)
	f.Fuzz(func(t *testing.T, content []byte, fits bool) {
		dir := t.TempDir()
		const slots = 16
		fill := func(path string, slotBytes int) {
			file, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			all := file[headerBytes:]
			copy(all, content)
			for ; fits && len(all) > 0; all = all[slotBytes:] {
				order.PutUint32(all[sumAt:], checksum(all[:slotBytes]))
			}
			if err := os.WriteFile(path, file, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		path := filepath.Join(dir, "ring")
		r := open(t, path, slots)
		r.Close()
		fill(path, choiceBytes)
		r = open(t, path, slots)
		if n := r.Len(epoch); n > slots {
			t.Errorf("%d choices in %d slots", n, slots)
		}
		r.Put(choiceOf(7))
		if c, ok := r.Get(keyOf(7), epoch); !ok || c != choiceOf(7) {
			t.Errorf("%+v %v", c, ok)
		}

		path = filepath.Join(dir, "dialogs")
		d := openDialogs(t, path, slots)
		d.Close()
		fill(path, dialogBytes)
		d = openDialogs(t, path, slots)
		there := all(t, d) // checks for doubles, and Len
		if len(there) > slots {
			t.Errorf("%d dialogs in %d slots", len(there), slots)
		}
		for k := range there {
			d.Touch(k, epoch)
			d.End(k)
		}
		if d.Len() != 0 {
			t.Errorf("%d dialogs can not be ended", d.Len())
		}
		for n := range uint64(slots) {
			d.Put(dialogOf(n))
		}
		if d.Len() != slots || d.Lost() != 0 {
			t.Errorf("%d fit, %d lost", d.Len(), d.Lost())
		}
	})
}
