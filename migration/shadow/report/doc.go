// Package report shows what a dark core would have made of a tenant's calls: for a terminal, as Markdown, and as one HTML
// file that needs no network.
//
// Promises: every number stands with what it was counted from and an interval; every list is in the order in which a
// person should look at it; whatever stands in a message, a name or a reason is text wherever it is shown, never markup; the
// HTML loads nothing, forbids itself to load anything, and is complete without its script.
//
// Refuses: to judge. What is a difference, how bad it is and how sure is said by compare; whether a tenant is fit to move is
// not measured here, and no word of a report says that it is.
package report
