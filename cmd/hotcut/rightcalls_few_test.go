//go:build interop && !soak

package main

// rightCalls are compared with a dark core that is right; make soak has more.
const rightCalls = 200

// everyFault is looked for, not a few.
const everyFault = false
