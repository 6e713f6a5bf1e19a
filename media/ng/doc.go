// Package ng speaks the control protocol of media relays that SIP proxies know as NG: dictionaries in bencode behind a
// cookie, over UDP (docs/ng_control_protocol.md of rtpengine). Both ends are here: a Server, so that any proxy can drive
// our relay, and a Client, so that our edge can drive any relay.
//
// It promises: a message is read strictly and within bounds, or refused by name, and no input panics; a command that is
// repeated with its cookie from its source is answered as the first time and carried out once; a command for a living call goes to
// the server that has the call and to no other; nothing grows without bound.
//
// It refuses to relay packets, to know SDP (a body is a string here) and to resolve names: servers are addresses. It speaks no
// JSON, TCP or WebSocket, and of the commands only ping, offer, answer, delete, query, list and statistics; to the rest the
// server says "Unrecognized command".
//
// Reading order:
//
//	bencode.go   bytes <-> Dict           message.go   cookie and dictionary
//	request.go   flags.go                 response.go  report.go, fields.go
//	server.go    answered.go, drop.go     client.go    peer.go, place.go, health.go
//
// # Decisions
//
// Keys of requests are taken with spaces or hyphens ("received from", "received-from"), as rtpengine takes them, and
// written with hyphens. Dictionaries are accepted in any order of keys and written sorted, but a key given twice is refused: two readers
// would take different ones. Keys and flags that we do not know are ignored; flags can be seen in Flags.Other.
//
// Commands have no secret: whoever can send to the server's port from an allowed address commands it. The server answers
// only the prefixes of its configuration, loopback by default, and drops the rest without a word.
package ng
