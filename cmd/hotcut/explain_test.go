package main

import (
	"strings"
	"testing"

	"github.com/hotcut/hotcut/proxy/callrecord"
)

// What a call met before its target is told with it: at night it is the first thing to look at.
func TestRecordTableNamesWhatWasGivenUp(t *testing.T) {
	var b strings.Builder
	recordTable(&b, toldRecord{Record: callrecord.Record{Tenant: "acme", From: "a@x", To: "b@x", Platform: "core", Reason: "stage", Rev: 4, Target: "core-3", Code: 200,
		Tried: []callrecord.Attempt{{Platform: "core", Target: "core-1", Cause: "timeout"}, {Platform: "core", Target: "core-2", Code: 503}}}})
	const want = "\n  target core-3   outcome 200\n  given up before: core core-1 (timeout), core core-2 (503)\n"
	if !strings.HasSuffix(b.String(), want) {
		t.Errorf("got\n%s\nwant at its end%s", b.String(), want)
	}
}
