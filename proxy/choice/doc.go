// Package choice keeps what kill -9 must not lose: which target each INVITE was
// sent to, and which dialogs live. Both are tables of fixed slots in memory-mapped
// files of the state directory.
//
// It promises: what Put returned from is found after the process was killed and
// started again; a slot that was half written at that moment is detected by its
// checksum and is not there. Nothing allocates on the way of a message, the
// size on disk and in memory is fixed at Open, and its blocks are allocated
// there, so that a full disk is an error of Open and not a fault in mid-call.
//
// It refuses: to survive a power cut (nothing is synced to the disk; the page
// cache outlives the process, not the machine), to be shared by two processes
// (the file is locked while open), and to read a file of another version,
// size or byte order, which starts empty.
//
// # How a slot is written
//
// Checksum to zero, then the body, then the checksum, each store in program
// order. A kill between any two instructions leaves the old slot, an invalid slot
// or the new slot. A key that is already there gets a second slot first, and
// only then is the old one cleared: so an update never loses the entry, and of
// two valid slots the later wins. Flags and times that change alone are single
// aligned words outside the checksum.
//
// # Decisions
//
// A choice is good for 64*T1. One whose target has it (a 1xx came) stays for
// Timer C + 64*T1 from its Put, since its CANCEL, or the hop ACK of its final
// response, may come that late; an owner that needs any of them longer Puts it
// again with a newer At.
package choice
