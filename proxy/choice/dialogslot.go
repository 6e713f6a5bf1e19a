package choice

// The body of a dialog's slot. Seen is the slot's time.
const (
	originAt    = keyAt + 16 // target, rev, since: 8 bytes each
	platformOf  = originAt + 24
	callIDLenAt = platformOf + 1
	tenantLenAt = callIDLenAt + 1
	callIDAt    = tenantLenAt + 1
	maxCallID   = 96
	tenantAt    = callIDAt + maxCallID
	maxTenant   = dialogBytes - tenantAt // 101
)

// encodeDialog fills b; false: the tenant's id does not fit. A Call-ID is cut,
// since it is for people to read; a cut tenant would be another tenant.
func encodeDialog(b *[dialogBytes]byte, c *Dialog) bool {
	if len(c.Tenant) > maxTenant {
		return false
	}
	order.PutUint64(b[timeAt:], uint64(c.Seen))
	copy(b[keyAt:], c.Key[:])
	order.PutUint64(b[originAt:], c.Target)
	order.PutUint64(b[originAt+8:], c.Rev)
	order.PutUint64(b[originAt+16:], uint64(c.Since))
	b[platformOf] = c.Platform
	b[callIDLenAt] = byte(copy(b[callIDAt:tenantAt], c.CallID))
	b[tenantLenAt] = byte(copy(b[tenantAt:], c.Tenant))
	return true
}

// decodeDialog reads a valid slot. Lengths are checked all the same: the file
// may have been edited.
func decodeDialog(s []byte) Dialog {
	return Dialog{
		Key:      Key(s[keyAt:]),
		CallID:   string(s[callIDAt:][:min(int(s[callIDLenAt]), maxCallID)]),
		Tenant:   string(s[tenantAt:][:min(int(s[tenantLenAt]), maxTenant)]),
		Platform: s[platformOf],
		Target:   order.Uint64(s[originAt:]),
		Rev:      order.Uint64(s[originAt+8:]),
		Since:    int64(order.Uint64(s[originAt+16:])),
		Seen:     long(s, timeAt).Load(),
	}
}
