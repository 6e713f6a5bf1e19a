package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/compare"
	"github.com/hotcut/hotcut/migration/shadow/record"
)

var noon = time.Date(2026, 3, 5, 12, 0, 0, 0, time.UTC)

// rateAt is a rate whose interval need not be right: reports print what they are given.
func rateAt(count, of uint64) compare.Rate {
	if of == 0 {
		return compare.Rate{High: 1}
	}
	p := float64(count) / float64(of)
	return compare.Rate{Of: of, Count: count, Share: p, Low: max(0, p-0.6*p), High: min(1, p+0.8*p+1.5/float64(of))}
}

func message(at time.Duration, up bool, lines ...string) record.Message {
	return record.Message{At: noon.UnixNano() + int64(at), Upstream: up, Raw: []byte(strings.Join(lines, "\r\n") + "\r\n\r\n")}
}

const ms = time.Millisecond

// forwarded is a call that is forwarded, where core loses the caller's number and busy is a refusal.
func forwarded() *Pair {
	exchange := func(side record.Side, from, end string, late time.Duration) *record.Exchange {
		final := []record.Message{message(6200*ms+late, true, "SIP/2.0 "+end, "Call-ID: t-1", "Content-Type: application/sdp", "", "v=0", "m=audio 9 RTP/AVP 8 101")}
		if strings.HasPrefix(end, "200") {
			final = append(final, message(6230*ms+late, false, "ACK sip:+13035550100@sip.example SIP/2.0"), message(19*time.Second, false, "BYE sip:+13035550100@sip.example SIP/2.0"),
				message(19*time.Second+20*ms, true, "SIP/2.0 200 OK"))
		} else {
			final = append(final, message(6230*ms+late, false, "ACK sip:+13035550100@sip.example SIP/2.0"))
		}
		ring := message(900*ms+late, true, "SIP/2.0 180 Ringing")
		return &record.Exchange{Side: side, Tenant: "acme", CallID: "t-1", Notes: []string{record.NoteStripped},
			Near: record.Leg{Party: "carrier", Messages: append([]record.Message{
				message(0, false, "INVITE sip:+13035550100@sip.example SIP/2.0", "From: <sip:+1212aekd@sip.example>;tag=1", "Content-Type: application/sdp", "", "v=0", "m=audio 9 RTP/AVP 8 0 101"),
				message(12*ms, true, "SIP/2.0 100 Trying"), ring,
			}, final...)},
			Far: []record.Leg{
				{Party: "phone", Messages: []record.Message{message(40*ms, false, "INVITE sip:bob@acme.example SIP/2.0", "From: "+from), message(60*ms, true, "SIP/2.0 302 Moved Temporarily"),
					message(70*ms, false, "ACK sip:bob@acme.example SIP/2.0")}},
				{Party: "carrier", Messages: []record.Message{message(120*ms+late, false, "INVITE sip:+1720kdle@carrier.example SIP/2.0", "From: "+from, "", "m=audio 9 RTP/AVP 8"),
					message(800*ms+late, true, "SIP/2.0 180 Ringing"), message(6100*ms+late, true, "SIP/2.0 "+end)}},
			},
		}
	}
	live := exchange(record.Live, "<sip:+1212aekd@sip.example>", "200 OK", 0)
	shadow := exchange(record.Shadow, "<sip:anonymous@anonymous.invalid>", "603 Decline", 310*ms)
	shadow.Far = append(shadow.Far, record.Leg{Party: "phone", Unexpected: true, Messages: []record.Message{message(7*time.Second, false, "NOTIFY sip:bob@acme.example SIP/2.0")}})
	return &Pair{CallID: "kbd3f6ae1c", Scenario: "in/carrier/pstn answered forward", Build: "2.4.1", At: noon.UnixNano(), Live: live, Shadow: shadow,
		Differences: []compare.Difference{
			{Field: "outcome", Kind: "differs", From: "answered", To: "rejected", Severity: compare.Critical, Words: "the call was answered on legacy and refused on core", Detail: "200 against 603"},
			{Field: "far.identity.from", Kind: "differs", From: "caller", To: "anonymous", Severity: compare.Critical, Words: "caller ID lost on forwarded calls", Detail: "+1212aekd against anonymous"},
			{Field: "unexpected", Kind: "added", To: "NOTIFY", Severity: compare.Minor, Words: "core sent a NOTIFY that nobody asked for"},
		}}
}

func quantiles(n uint64, median time.Duration, spread float64) compare.Quantiles {
	q := compare.Quantiles{N: n, Median: median, Low: median * 95 / 100, High: median * 106 / 100, P90: time.Duration(float64(median) * (1 + spread))}
	weights := []uint64{1, 3, 9, 22, 34, 24, 12, 6, 3, 1}
	for i, w := range weights {
		from := float64(median) * (1 + spread*float64(i-5)/6)
		to := float64(median) * (1 + spread*float64(i-4)/6)
		q.Buckets = append(q.Buckets, compare.Bucket{From: time.Duration(from), To: time.Duration(to), N: w * n / 115})
	}
	return q
}

func cluster(words, scenario, field, from, to string, severity compare.Severity, count, of uint64, state compare.State) compare.ClusterView {
	k := compare.Key{Scenario: scenario, Field: field, Kind: "differs", From: from, To: to}
	return compare.ClusterView{ID: k.ID(), State: state, Open: state != compare.StateIntended && state != compare.StateNoise && state != compare.StateGone,
		Share: rateAt(count, of), Tenants: 1, Current: count, Noise: compare.IsReal,
		Cluster: &compare.Cluster{Key: k, Severity: severity, Words: words, Count: count, First: noon.Add(-50 * time.Hour).UnixNano(), Last: noon.UnixNano(),
			Samples: []compare.Sample{{CallID: "kbd3f6ae1c", At: noon.UnixNano(), Edge: "edge-1", Build: "2.4.1", Detail: from + " against " + to}}}}
}

// fixture is a report with everything in it.
func fixture() *Document {
	sev := func(c, m, n, of uint64) []compare.SeverityRate {
		return []compare.SeverityRate{{Severity: compare.Critical, Rate: rateAt(c, of)}, {Severity: compare.Major, Rate: rateAt(m, of)}, {Severity: compare.Minor, Rate: rateAt(n, of)}}
	}
	d := &Document{Examples: map[compare.ClusterID]*Pair{}, Notes: []string{"edge-2 did not answer: its calls of the last minute are not in here"}}
	d.Summary = compare.Summary{Tenant: "acme", Build: "2.4.1", From: noon.Add(-50 * time.Hour), To: noon, Now: noon.Add(time.Hour),
		Headline: "2 critical and 2 major kinds of difference stand in the way", Sure: "3 of 402 calls differ critically: 0.75 %, and with 95 % confidence at most 2.2 %",
		Next:    []string{"hotcut shadow diff kbd3f6ae1c     # caller ID lost on forwarded calls", "hotcut shadow triage acme 0a1b2c3d4e bug --reason ..."},
		Sampled: 431, Compared: rateAt(402, 431), Missing: []compare.Counted{{Name: "ambiguous pair of far legs", N: 18, Rate: rateAt(18, 431)}, {Name: "challenges as expected", N: 7, Rate: rateAt(7, 431)}},
		Dropped: []compare.Counted{{Name: "ring_full", N: 4, Rate: rateAt(4, 431)}}, Severities: sev(3, 12, 31, 402), Exempt: 5}
	for _, c := range []struct {
		live, shadow string
		n, of        uint64
	}{{"answered", "answered", 280, 284}, {"answered", "rejected", 3, 284}, {"answered", "busy", 1, 284}, {"busy", "busy", 20, 31}, {"busy", "rejected", 11, 31},
		{"no-answer", "no-answer", 61, 61}, {"cancelled", "cancelled", 24, 24}, {"not-found", "not-found", 2, 2}} {
		d.Outcomes = append(d.Outcomes, compare.Cell{Live: c.live, Shadow: c.shadow, N: c.n, Rate: rateAt(c.n, c.of)})
	}
	d.Clusters = []compare.ClusterView{
		cluster("caller ID lost on forwarded calls", "in/carrier/pstn answered forward", "far.identity.from", "caller", "anonymous", compare.Critical, 3, 402, compare.StateNew),
		cluster("calls to voicemail are refused", "in/carrier/voicemail answered voicemail", "outcome", "answered", "rejected", compare.Critical, 2, 402, compare.StateReopened),
		cluster("no ringing tone before the answer", "out/phone/pstn answered", "early", "183+sdp", "180", compare.Major, 11, 402, compare.StateBug),
		cluster("touch tones can not be sent", "out/phone/pstn answered dtmf", "sdp.dtmf", "telephone-event", "", compare.Major, 4, 402, compare.StateFixed),
		cluster("codecs come in another order", "out/phone/phone answered", "sdp.order", "pcma,pcmu", "pcmu,pcma", compare.Minor, 31, 402, compare.StateNoise),
		cluster("a subscriber who has left hears another refusal", "in/carrier/pstn not-found", "outcome", "404", "480", compare.Minor, 2, 402, compare.StateIntended),
	}
	d.Clusters[3].Triage = compare.Triage{State: compare.StateFixed, Build: "2.4.2", By: "ops@test"}
	d.Clusters[5].Triage = compare.Triage{State: compare.StateIntended, By: "ops@test", Reason: "agreed with the customer", Until: noon.Add(30 * 24 * time.Hour).UnixNano()}
	d.Examples[d.Clusters[0].ID] = forwarded()
	d.Times = []compare.TimeView{
		{Name: "first answer", Class: "answered", Live: quantiles(284, 14*ms, .6), Shadow: quantiles(280, 11*ms, .5), Shift: -3 * ms, ShiftLow: -4 * ms, ShiftHigh: -2 * ms},
		{Name: "ring", Class: "answered", Live: quantiles(284, 920*ms, .5), Shadow: quantiles(280, 2900*ms, .7), Shift: 1980 * ms, ShiftLow: 1800 * ms, ShiftHigh: 2150 * ms, Severity: compare.Major, Words: "phones ring later than on legacy"},
		{Name: "answer", Class: "answered", Live: quantiles(284, 7*time.Second, .8), Shadow: compare.Quantiles{}},
	}
	d.Coverage = compare.Coverage{Seen: 4, Enough: 2, Calls: 431, Once: 1, Unseen: 1. / 431, Known: true, NeverSeen: []string{"fax"}, Scenarios: []compare.ScenarioView{
		{Scenario: "out/phone/pstn answered", N: 210, Compared: 204, Enough: true}, {Scenario: "in/carrier/pstn answered forward", N: 140, Compared: 131, Enough: true},
		{Scenario: "in/carrier/voicemail answered voicemail", N: 20, Compared: 12}, {Scenario: "out/phone/park answered park", N: 1}}}
	d.Builds = []compare.BuildView{{Build: "2.3.9", First: noon.Add(-300 * time.Hour), Last: noon.Add(-51 * time.Hour), Severities: sev(41, 90, 200, 1204)},
		{Build: "2.4.1", First: noon.Add(-50 * time.Hour), Last: noon, Severities: sev(3, 12, 31, 402)}}
	d.Waivers = []compare.Waiver{{ID: d.Clusters[5].ID, Words: d.Clusters[5].Words, By: "ops@test", Reason: "agreed with the customer", Until: noon.Add(30 * 24 * time.Hour)},
		{ID: "00aa11bb22", Words: "an old one", By: "night@test", Reason: "for the pilot", Until: noon.Add(-24 * time.Hour), Expired: true}}
	d.Variation = []compare.VariationView{{Triples: compare.Triples{Scenario: "out/phone/phone answered", Field: "sdp.order", N: 90, OnlyCore: 14, OnlyLegacy: 12, Both: 8}, Noise: compare.IsNoise}}
	return d
}

// many is fixture with as many clusters as a page must bear.
func many(n int) *Document {
	d := fixture()
	for i := range n {
		d.Clusters = append(d.Clusters, cluster(fmt.Sprintf("kind %d of many", i), "out/phone/pstn answered", "far.destination", "a", fmt.Sprint("b", i), compare.Minor, 1, 402, compare.StateNew))
		d.Examples[d.Clusters[len(d.Clusters)-1].ID] = forwarded()
	}
	return d
}
