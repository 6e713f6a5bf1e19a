//go:build interop && soak

package main

// rightCalls are compared with a dark core that is right.
const rightCalls = 5000

// everyFault is looked for, not a few.
const everyFault = true
