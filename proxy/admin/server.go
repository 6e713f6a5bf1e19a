package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// Listen says where to serve. Each may be empty.
type Listen struct {
	Socket  string // path of the Unix socket: everything
	Metrics string // TCP host:port: /metrics, /healthz, /readyz
}

// Times and counts that bound one client.
const (
	headerTime   = 5 * time.Second
	readTime     = 10 * time.Second
	writeTime    = 30 * time.Second
	idleTime     = 30 * time.Second
	maxHeader    = 16 << 10 // bytes
	maxConns     = 64       // per listener; the next waits in the kernel
	shutdownTime = 2 * time.Second
)

// Server serves a Backend. New binds, Run works, and nothing is left when Run returns.
type Server struct {
	unix *socket      // nil: none
	tcp  net.Listener // nil: none
	b    Backend
	log  *slog.Logger
}

// New binds the listeners, so that a taken socket or port is an error before the edge takes a call. A Server that is
// never Run must be closed.
func New(l Listen, b Backend, log *slog.Logger) (*Server, error) {
	s := &Server{b: b, log: log}
	var err error
	if l.Socket != "" {
		if s.unix, err = listenUnix(l.Socket); err != nil {
			return nil, fmt.Errorf("admin socket: %w", err)
		}
	}
	if l.Metrics != "" {
		if s.tcp, err = net.Listen("tcp", l.Metrics); err != nil {
			s.Close()
			return nil, fmt.Errorf("admin metrics listener: %w", err)
		}
	}
	return s, nil
}

// MetricsAddr is the bound address of the TCP listener, nil without one.
func (s *Server) MetricsAddr() net.Addr {
	if s.tcp == nil {
		return nil
	}
	return s.tcp.Addr()
}

// Close gives up what New bound.
func (s *Server) Close() error {
	var errs []error
	if s.unix != nil {
		errs = append(errs, s.unix.Close())
	}
	if s.tcp != nil {
		errs = append(errs, s.tcp.Close())
	}
	return errors.Join(errs...)
}

// Run serves until ctx ends, then gives requests under way two seconds.
func (s *Server) Run(ctx context.Context) error {
	defer s.Close()
	g, ctx := errgroup.WithContext(ctx)
	if s.unix != nil {
		routes := s.b.commands()
		maps.Copy(routes, s.b.probes())
		maps.Copy(routes, profiles())
		g.Go(func() error { return s.serve(ctx, s.unix, routes) })
	}
	if s.tcp != nil {
		g.Go(func() error { return s.serve(ctx, s.tcp, s.b.probes()) })
	}
	return g.Wait()
}

func (s *Server) serve(ctx context.Context, ln net.Listener, routes map[string]route) error {
	hs := &http.Server{
		Handler:           handler(routes),
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       readTime,
		WriteTimeout:      writeTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- hs.Serve(limit(ln, maxConns)) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	if hs.Shutdown(grace) != nil {
		hs.Close()
	}
	<-failed
	return nil
}

// handler finds the route, bounds the body and writes the answer.
func handler(routes map[string]route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
		rt, found := routes[r.URL.Path]
		switch {
		case !found:
			writeError(w, &Error{http.StatusNotFound, CodeNotFound, "no such path here"})
			return
		case rt.method != r.Method:
			w.Header().Set("Allow", rt.method)
			writeError(w, &Error{http.StatusMethodNotAllowed, CodeMethod, "this path takes " + rt.method})
			return
		}
		answer, err := rt.serve(w, r)
		if err != nil {
			writeError(w, asError(err))
		} else if answer != nil {
			writeJSON(w, http.StatusOK, answer)
		}
	})
}

func writeError(w http.ResponseWriter, e *Error) { writeJSON(w, e.Status, errorBody{e}) }

func writeJSON(w http.ResponseWriter, code int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		code, b = http.StatusInternalServerError, []byte(`{"error":{"code":"`+CodeFailed+`","message":"the answer can not be written as JSON"}}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	w.Write(append(b, '\n')) // a client that is gone is no fault of ours
}

// trimScheme tells the two forms of an admin address apart.
func trimScheme(url string) (path string, unix bool) {
	return strings.CutPrefix(url, "unix://")
}
