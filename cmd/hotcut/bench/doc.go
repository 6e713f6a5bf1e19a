// Package bench measures Hotcut beside Kamailio and beside a blind forwarder: the real binary under SIPp's calls, in
// alternating rounds of one run; and beside itself, with and without copies of its calls. It has no code of its own; `make bench` runs its test with -tags bench.
package bench
