package main

import (
	"testing"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/policy"
)

func TestRecordsOfEveryForm(t *testing.T) {
	for name, doc := range map[string]string{
		"json":  `[{"id": "acme", "name": "Acme"}, {"id": "birch"}]`,
		"lines": "{\"id\": \"acme\", \"name\": \"Acme\"}\n\n{\"id\": \"birch\"}\n",
		"yaml":  "- id: acme\n  name: Acme\n- {id: birch}\n",
	} {
		list, err := recordsOf(name, []byte(doc))
		if err != nil || len(list) != 2 || string(list[0]["name"]) != `"Acme"` || string(list[1]["id"]) != `"birch"` {
			t.Errorf("%s: %s, %v", name, list, err)
		}
	}
	for name, doc := range map[string]string{"empty": "", "a word": "acme", "a number": "7", "null": "null", "half a line": `{"id": "acme"`, "a map": "id: acme", "bad yaml": "- [\n"} {
		if list, err := recordsOf(name, []byte(doc)); err == nil {
			t.Errorf("%s was read as %s", name, list)
		}
	}
}

// FuzzRecords: whatever a file holds, it is refused, or planned, or refused by the policy; nothing else.
func FuzzRecords(f *testing.F) {
	f.Add([]byte(`[{"id": "acme"}]`))
	f.Add([]byte("{\"id\": \"acme\"}\n{}"))
	f.Add([]byte("- &a {id: acme}\n- *a\n"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		list, err := recordsOf("fuzz", doc)
		if err != nil {
			return
		}
		empty := policy.Empty("00112233445566778899aabbccddeeff")
		p, err := migration.Import(list, migration.Author{Actor: "fuzz", Key: "k"})(migration.Present{Snapshot: empty})
		if err == nil && len(p.Change.Tenants) > len(list) {
			t.Errorf("%d tenants of %d records", len(p.Change.Tenants), len(list))
		}
	})
}
