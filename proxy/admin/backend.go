package admin

import (
	"context"
	"io"
	"net/http"

	"github.com/hotcut/hotcut/proxy/callrecord"
)

// Backend is what an edge can do for its operators. The functions are called from many goroutines at once. One that is
// nil is answered with CodeNotServed. An *Error passes to the client as it is, any other error as CodeFailed.
type Backend struct {
	State    func() State
	Calls    func(tenant string, limit int) []Call              // tenant "": all
	Draining func(tenant string) []Draining                     // tenant "": all
	Records  func(callID string) []callrecord.Record            // oldest first
	Recent   func(tenant string, limit int) []callrecord.Record // newest first
	Explain  func(ExplainRequest) (ExplainResponse, error)

	Registrations       func(tenant string, limit int) []Registration // tenant "": all
	RegistrationSummary func(tenant string) RegistrationSummaries     // tenant "": all
	Doctor              func(context.Context, DoctorRequest) (DoctorReport, error)

	Shadow *Shadow // nil: this edge mirrors nothing

	Drain        func(on bool) error
	Reload       func() (changed, needsRestart []string, err error)
	Override     func(OverrideChange) error
	AcceptEpoch  func(epoch string) error
	ExportPolicy func(w io.Writer) error

	Ready   func() error // nil: it can serve new calls
	Metrics http.Handler
}
