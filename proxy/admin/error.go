package admin

import (
	"errors"
	"net/http"
)

// Error is a refusal by an edge: a code for programs, a sentence for people.
type Error struct {
	Status  int    `json:"-"` // of HTTP
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return e.Message }

// Codes of an Error.
const (
	CodeBadRequest = "bad_request" // the request can not be understood
	CodeTooLarge   = "too_large"   // a body over MaxBody
	CodeNotFound   = "not_found"   // no such path
	CodeMethod     = "method"      // the path exists, for another method
	CodeNotReady   = "not_ready"   // /readyz: the message says why
	CodeNotServed  = "not_served"  // this edge has no such function
	CodeFailed     = "failed"      // the edge tried and could not
)

// ErrUnreachable is wrapped by what a client returns when no edge answers at its address.
var ErrUnreachable = errors.New("the edge does not answer")

func badRequest(message string) *Error {
	return &Error{http.StatusBadRequest, CodeBadRequest, message}
}

// asError makes an Error of whatever a backend returned.
func asError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{http.StatusInternalServerError, CodeFailed, err.Error()}
}

type errorBody struct {
	Error *Error `json:"error"`
}
