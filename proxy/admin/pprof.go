package admin

import (
	"net/http"
	"net/http/pprof"
)

// profiles are Go's own profiles, on the Unix socket alone, for whoever may read it:
//
//	curl --unix-socket /run/hotcut/edge.sock 'http://edge/debug/pprof/profile?seconds=20' > cpu.pprof
func profiles() map[string]route {
	serve := func(h http.Handler) route {
		return route{"GET", func(w http.ResponseWriter, r *http.Request) (any, error) {
			h.ServeHTTP(w, r)
			return nil, nil
		}}
	}
	return map[string]route{
		"/debug/pprof/profile":   serve(http.HandlerFunc(pprof.Profile)), // seconds below writeTime
		"/debug/pprof/heap":      serve(pprof.Handler("heap")),
		"/debug/pprof/allocs":    serve(pprof.Handler("allocs")),
		"/debug/pprof/goroutine": serve(pprof.Handler("goroutine")),
	}
}
