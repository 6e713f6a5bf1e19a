// Package archtest holds what the tree promises as a whole: who may import whom, that every package says what it is for,
// and that what the README shows runs. It has tests only; nothing can import it.
package archtest
