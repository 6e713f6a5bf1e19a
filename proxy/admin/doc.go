// Package admin is how operators and their tools reach one edge: HTTP over a Unix socket, and the same answers as Go
// types for the client.
//
// It promises that only the socket's owner can command an edge (mode 0600, set before the socket has a name), that a
// stale socket is cleared away and a living one never, that every body is bounded and every connection timed, and that
// an error is JSON with a code that programs can branch on.
//
// The TCP listener serves /metrics, /healthz and /readyz and nothing else: it commands nothing, so it needs no
// credentials. Commands over TCP (mTLS, tokens, roles) are refused by both ends rather than sent in the clear.
//
// # Decisions
//
// A living edge is known by a lock on SOCKET.lock, held while it serves, and by whether the socket answers. The lock
// closes the gap between two edges that start at once; the answer covers a process that knows nothing of the lock.
package admin
