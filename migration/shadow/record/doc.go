// Package record turns one side of a mirrored call into a canonical call record, and takes out of it what is nobody's
// business.
//
// It promises:
//
//   - Of is a pure function of the messages: the same exchange gives the same record, on any machine, at any time.
//   - What two platforms may write differently without anybody noticing (order, case, compact forms, tags, ports,
//     payload numbers) is gone; what changes a call stays.
//   - Nothing it produces holds a number beyond country and area, a name, a key, a credential, a text message, or an
//     address beyond its /24 (/48). What is equal in a tenant's traffic stays equal, and nothing can be told across tenants.
//   - No input makes it panic or grow beyond the bounds in limits.go.
//
// It refuses to compare, to guess what it was not shown, and to keep what it does not know: redaction is a list of what
// stays, not of what goes.
//
// Reading order: exchange.go (what goes in), of.go (the life of an exchange), call.go (what comes out), outcome.go and
// scenario.go (the words for it), redact.go (numbers, names, hosts), message.go (a redacted copy of a message).
package record
