package transport

// Open tells whether the connection of that number is there.
func (t *Transport) Open(conn uint64) bool {
	t.conns.mu.Lock()
	defer t.conns.mu.Unlock()
	return t.conns.byID[conn] != nil
}
