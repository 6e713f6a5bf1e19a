package metrics

import "time"

// Platforms are the first label of the signalling metrics, indexed by policy.Platform: none is what was refused before
// a platform was chosen.
var Platforms = []string{"none", "legacy", "core"}

// Outcome is how a session attempt ended, as RFC 6076 sorts final responses.
type Outcome int

const (
	Established Outcome = iota // 2xx
	Redirected                 // 3xx: no attempt that could succeed here
	Declined                   // 480, 486, 600, 603: the user was reached or known to be away
	Ineffective                // 408, 500, 503, 504: the network failed
	Cancelled                  // 487: the caller gave up
	Challenged                 // 401, 407: will be tried again with credentials
	Failed                     // every other failure
	outcomes
)

var outcomeWords = [outcomes]string{"established", "redirected", "declined", "ineffective", "cancelled", "challenged", "failed"}

func (o Outcome) String() string { return outcomeWords[o] }

// OutcomeOf sorts a final status code; a code that is none is Failed.
func OutcomeOf(code int) Outcome {
	switch {
	case code >= 200 && code < 300:
		return Established
	case code >= 300 && code < 400:
		return Redirected
	}
	switch code {
	case 480, 486, 600, 603:
		return Declined
	case 408, 500, 503, 504:
		return Ineffective
	case 487:
		return Cancelled
	case 401, 407:
		return Challenged
	}
	return Failed
}

// Signalling is what RFC 6076 measures, per platform. An edge sees both legs and measures from the request that it
// received to the response that it sends.
type Signalling struct {
	sessions *Vec       // platform x outcome
	srd      *Histogram // platform x result
	rrd      *Histogram // platform
	sdd      *Histogram
	sdt      *Histogram
}

const successful, unsuccessful = 0, 1

// NewSignalling registers the metrics of RFC 6076 in s.
func NewSignalling(s *Set) *Signalling {
	g := &Signalling{
		sessions: s.Counter(Prefix+"sessions_total", "session attempts (INVITE without To-tag) by how they ended", "platform,outcome", cross(Platforms, outcomeWords[:])),
		srd: s.Histogram(Prefix+"srd_seconds", "SRD, session request delay: from INVITE to its first ringing or answer (successful) or refusal (failed); RFC 6076 section 4.3",
			"platform,result", cross(Platforms, []string{"successful", "failed"}), setupBounds),
		rrd: s.Histogram(Prefix+"rrd_seconds", "RRD, registration request delay: from REGISTER to its 2xx; RFC 6076 section 4.1", "platform", Platforms, answerBounds),
		sdd: s.Histogram(Prefix+"sdd_seconds", "SDD, session disconnect delay: from BYE to its 2xx; RFC 6076 section 4.4", "platform", Platforms, answerBounds),
		sdt: s.Histogram(Prefix+"sdt_seconds", "SDT, session duration time: from answer to BYE; RFC 6076 section 4.5", "platform", Platforms, durationBounds),
	}
	ratio := func(name, help string, part ...Outcome) {
		s.Gauge(Prefix+name, help, func() []Sample { return g.ratio(part, name == "isa_ratio") }, "platform")
	}
	ratio("ser_ratio", "SER, session establishment ratio since start: established of all attempts but redirected and challenged ones; RFC 6076 section 4.6", Established)
	ratio("seer_ratio", "SEER, session establishment effectiveness ratio since start: established or declined of all attempts but redirected and challenged ones; RFC 6076 section 4.7", Established, Declined)
	ratio("isa_ratio", "ISA, ineffective session attempts since start: ineffective of all attempts but challenged ones; RFC 6076 section 4.8", Ineffective)
	return g
}

// Session counts an attempt that ended with a final status code.
func (g *Signalling) Session(platform, code int) {
	g.sessions.Inc(platform*int(outcomes) + int(OutcomeOf(code)))
}

// Sessions reads how many attempts ended so.
func (g *Signalling) Sessions(platform int, o Outcome) uint64 {
	return g.sessions.Value(platform*int(outcomes) + int(o))
}

// RequestDelay observes SRD: ok when the INVITE rang or was answered, not when it was refused. Challenges and
// redirections are neither, and not to be observed.
func (g *Signalling) RequestDelay(platform int, ok bool, d time.Duration) {
	result := successful
	if !ok {
		result = unsuccessful
	}
	g.srd.Observe(platform*2+result, d)
}

// RegistrationDelay observes RRD of a REGISTER that got its 2xx.
func (g *Signalling) RegistrationDelay(platform int, d time.Duration) { g.rrd.Observe(platform, d) }

// DisconnectDelay observes SDD of a BYE that got its 2xx.
func (g *Signalling) DisconnectDelay(platform int, d time.Duration) { g.sdd.Observe(platform, d) }

// Duration observes SDT.
func (g *Signalling) Duration(platform int, d time.Duration) { g.sdt.Observe(platform, d) }

// ratio has no sample for a platform without an attempt: 0 of 0 is not 0.
func (g *Signalling) ratio(part []Outcome, withRedirected bool) []Sample {
	var out []Sample
	for p, name := range Platforms {
		var n, of uint64
		for o := range outcomes {
			if o != Challenged && (o != Redirected || withRedirected) {
				of += g.Sessions(p, o)
			}
		}
		for _, o := range part {
			n += g.Sessions(p, o)
		}
		if of > 0 {
			out = append(out, Sample{[]string{name}, float64(n) / float64(of)})
		}
	}
	return out
}

// cross joins every a with every b by a comma; the index is that of a times len(b) plus that of b.
func cross(as, bs []string) []string {
	var out []string
	for _, a := range as {
		for _, b := range bs {
			out = append(out, a+","+b)
		}
	}
	return out
}

// Bounds of the buckets. Ringing takes a person's time, an answer to REGISTER or BYE a machine's (until Timer F, 32 s),
// a call up to hours.
var (
	setupBounds = []time.Duration{
		50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 3 * time.Second,
		5 * time.Second, 8 * time.Second, 12 * time.Second, 20 * time.Second, 32 * time.Second, time.Minute, 3 * time.Minute,
	}
	answerBounds = []time.Duration{
		5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond,
		500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second,
	}
	durationBounds = []time.Duration{
		time.Second, 5 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute,
		30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour,
	}
)
