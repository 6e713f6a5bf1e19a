package proxy

import (
	"strconv"
	"strings"
	"testing"
)

// Two listeners whose names have one hash are refused by name, not mixed up.
func TestNamesThatTokensCanNotTellApart(t *testing.T) {
	byHash := map[uint16]string{}
	for i := 0; ; i++ {
		name := "l" + strconv.Itoa(i)
		other, ok := byHash[hash16(name)]
		if !ok {
			byHash[hash16(name)] = name
			continue
		}
		topo := &topology{listeners: []listener{{name: other, hash: hash16(other)}, {name: name, hash: hash16(name)}, {name: "out", hash: hash16("out")}}}
		err := topo.checkNames()
		if err == nil || !strings.Contains(err.Error(), strconv.Quote(name)) || !strings.Contains(err.Error(), strconv.Quote(other)) {
			t.Fatalf("%q and %q: %v", other, name, err)
		}
		return
	}
}
