package digest

// AppendStale appends a challenge with stale=true: the phone then tries again with the
// password that it has, and does not ask its user for another one (RFC 7616 section
// 3.3). What is no Digest challenge, or says so already, is appended as it is.
func AppendStale(dst, value []byte) []byte {
	var p Params
	switch {
	case !ParseChallenge(&p, value) || equalFold(p.Stale.In(value), "true"):
		return append(dst, value...)
	case p.Stale.Present():
		dst = append(dst, value[:p.Stale.Off]...)
		dst = append(dst, "true"...)
		return append(dst, value[p.Stale.end():]...)
	}
	dst = append(dst, value[:p.last]...)
	dst = append(dst, ", stale=true"...)
	return append(dst, value[p.last:]...)
}
