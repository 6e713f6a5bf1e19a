// Package record turns one side of a mirrored call into a canonical call record, and takes out of it what is nobody's
// business.
//
// It promises:
//
//   - Of is a pure function of the messages: the same exchange gives the same record, on any machine, at any time.
//   - What two platforms may write differently without anybody noticing (order, case, compact forms, tags, ports,
//     payload numbers) is gone; what changes a call stays.
//   - Nothing it produces holds a number beyond country, area and how many digits it has, a name, a key, a credential, a text message, or an
//     address beyond its /24 (/48). What is equal in a tenant's traffic stays equal, and nothing can be told across tenants.
//   - No input makes it panic or grow beyond the bounds in limits.go.
//
// It refuses to compare, to guess what it was not shown, and to keep what it does not know: redaction is a list of what
// stays, not of what goes.
//
// Reading order: exchange.go (what goes in), of.go (the life of an exchange), near.go and far.go with identity.go, sdp.go,
// register.go and notify.go (its rows), call.go (what comes out), outcome.go and scenario.go (the words for it). Redaction:
// redact.go (numbers, names, hosts), message.go and fields.go (a redacted copy of a message), words.go (what may stay).
//
// # Decisions
//
// A record is read from redacted messages only, never from what was captured. So nothing can be in a record that is not in
// words.go or a token, the record of an exchange that was kept is the one made at capture, and one test of one function
// covers everything that is stored. The price is that each message is read twice.
//
// A token is 48 bits of an HMAC under a key of the tenant: with 10,000 numbers, two share one with a chance of 1 in five
// million. Its letters are consonants, so that no token holds a number or a word. What already looks like a token stays.
//
// Numbers are read as the policy reads them (policy.Normalise), so 030..., 0049 30... and tel:+49-30-... are one. The area is
// the shortest that the country has, and at least six digits are always hidden: see number.go. Ports of five digits, and all
// but the last four digits of CSeq and RSeq, are left out; times keep four significant digits.
//
// Domains are tokens too: a domain is a customer's name. Feature codes of up to four characters stay (*98), since they are the
// switch's and not a person's; digits dialled with INFO go with their bodies.
//
// A 3xx that reaches the caller has a class of its own, redirected: none of the others says what the caller met. No final
// response at all is network-failure, as the caller's own timer would have it (RFC 3261 section 8.1.3.1), or cancelled after a
// CANCEL; whoever stops watching a call must say so in Exchange.Incomplete. Times begin with the last try of the first
// request, so that a challenge that only one side sends costs nothing.
package record
