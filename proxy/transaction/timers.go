package transaction

import "time"

// Timers are the durations of RFC 3261 section 17 (its table 4), RFC 6026 (L and
// M) and Timer C of RFC 3261 section 16.6. Timers A, E and G start from T1 and
// have no field. A copy with another B gives a target a shorter fail-over.
type Timers struct {
	T1 time.Duration // round trip estimate; the first retransmission interval
	T2 time.Duration // longest interval of non-INVITE requests and INVITE responses
	T4 time.Duration // how long a message can stay in the network

	B time.Duration // INVITE client: no response at all
	C time.Duration // INVITE client in a proxy: no final response, reset by 101-199
	D time.Duration // INVITE client: absorbs repeated finals (unreliable only)
	F time.Duration // non-INVITE client: no final response
	H time.Duration // INVITE server: no ACK for a non-2xx final
	I time.Duration // INVITE server: absorbs repeated ACKs (unreliable only)
	J time.Duration // non-INVITE server: answers repeated requests (unreliable only)
	K time.Duration // non-INVITE client: absorbs repeated finals (unreliable only)
	L time.Duration // INVITE server: absorbs repeated INVITEs after a 2xx
	M time.Duration // INVITE client: passes further 2xx
}

// DefaultTimers returns the values of RFC 3261 table 4; Timer C is 3 min 30 s
// since it has to be more than three minutes.
func DefaultTimers() Timers {
	const t1, t4 = 500 * time.Millisecond, 5 * time.Second
	return Timers{
		T1: t1, T2: 4 * time.Second, T4: t4,
		B: 64 * t1, C: 3*time.Minute + 30*time.Second, D: 64 * t1, F: 64 * t1, H: 64 * t1,
		I: t4, J: 64 * t1, K: t4, L: 64 * t1, M: 64 * t1,
	}
}
