// Package callrecord keeps what happened to each call: JSON lines on the edge's disk and a bounded index by Call-ID.
//
// It promises that Put never waits for the disk (when the writer falls behind, the oldest waiting record goes and
// Dropped grows), that the files together never exceed the bytes they were given, that the index is rebuilt from the
// files at start, and that a torn or foreign line costs that line only.
//
// It refuses to be a billing system: a record that was dropped or that had no room is gone.
package callrecord
