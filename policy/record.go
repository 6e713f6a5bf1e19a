package policy

// Record is a tenant as the edge uses it: compiled once, then only read.
type Record struct {
	Tenant *Tenant
}
