package admin

import (
	"net/http"
	"net/http/httptest"
	"strings"
)

// serve sends one request through h without a socket.
func serve(h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	return w
}
