package policy

// Snapshot is the whole routing truth at one rev: immutable, shared by every reader.
type Snapshot struct {
	head    Head
	globals Globals
}
