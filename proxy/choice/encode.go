package choice

// The body of a choice's slot. At is the slot's time, Ringing and Final its flags.
const (
	keyAt      = bodyAt
	seqAt      = keyAt + 16
	targetAt   = seqAt + 8
	revAt      = targetAt + 8
	listenerAt = revAt + 8
	platformAt = listenerAt + 2
)

func encode(b *[choiceBytes]byte, c *Choice, seq uint64) {
	var flags uint32
	if c.Ringing {
		flags |= flagRinging
	}
	if c.Final {
		flags |= flagFinal
	}
	if c.Answered {
		flags |= flagAnswered
	}
	order.PutUint32(b[wordAt:], flags)
	order.PutUint64(b[timeAt:], uint64(c.At))
	copy(b[keyAt:], c.Key[:])
	order.PutUint64(b[seqAt:], seq)
	order.PutUint64(b[targetAt:], c.Target)
	order.PutUint64(b[revAt:], c.Rev)
	order.PutUint16(b[listenerAt:], c.Listener)
	b[platformAt] = c.Platform
}

func decode(s []byte) Choice {
	flags := word(s, wordAt).Load()
	return Choice{
		Key:      Key(s[keyAt:]),
		Platform: s[platformAt],
		Target:   order.Uint64(s[targetAt:]),
		Rev:      order.Uint64(s[revAt:]),
		Ringing:  flags&flagRinging != 0,
		Final:    flags&flagFinal != 0,
		Answered: flags&flagAnswered != 0,
		Listener: order.Uint16(s[listenerAt:]),
		At:       long(s, timeAt).Load(),
	}
}
