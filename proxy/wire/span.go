package wire

// A Span is a half-open range of offsets into the bytes it was read from.
type Span struct{ Start, End uint32 }

// Of returns the bytes of s in raw, without copying.
func (s Span) Of(raw []byte) []byte { return raw[s.Start:s.End:s.End] }

// Empty reports whether s has no bytes.
func (s Span) Empty() bool { return s.Start >= s.End }

// Len is the number of bytes of s.
func (s Span) Len() int { return int(s.End - s.Start) }

func span(start, end int) Span { return Span{uint32(start), uint32(end)} }
