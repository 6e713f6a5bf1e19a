package compare

import (
	"fmt"
	"slices"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/record"
)

// Row "where it went".
var farRules = []Rule{
	{Name: "destination", Field: "far.destination", Severity: Critical, Revision: 1, Words: "calls go somewhere else", find: destination},
	{Name: "order", Field: "far.order", Severity: Critical, Words: "phones ring in another order", find: order},
	{Name: "delay", Field: "far.delay", Severity: Critical, Words: "the next phone of a group rings at another time", find: delay},
}

// legPair is a far leg of legacy and the core's leg to the same place.
type legPair struct{ live, shadow *record.FarLeg }

// pairLegs pairs by destination, in order of appearance. moved are those left over on both sides, paired by order.
func pairLegs(live, shadow *record.Call) (same, moved []legPair, lost, added []*record.FarLeg) {
	taken := make([]bool, len(shadow.Far))
	var rest []*record.FarLeg
	for i := range live.Far {
		l := &live.Far[i]
		at := slices.IndexFunc(shadow.Far, func(s record.FarLeg) bool { return s.To == l.To })
		for at >= 0 && taken[at] {
			next := slices.IndexFunc(shadow.Far[at+1:], func(s record.FarLeg) bool { return s.To == l.To })
			if next < 0 {
				at = -1
				break
			}
			at += 1 + next
		}
		if at < 0 {
			rest = append(rest, l)
			continue
		}
		taken[at] = true
		same = append(same, legPair{l, &shadow.Far[at]})
	}
	for i := range shadow.Far {
		if !taken[i] {
			added = append(added, &shadow.Far[i])
		}
	}
	n := min(len(rest), len(added))
	for i := range n {
		moved = append(moved, legPair{rest[i], added[i]})
	}
	return same, moved, rest[n:], added[n:]
}

// unsettled: a leg that began in the last second of its call may be there or not.
func unsettled(c *record.Call, leg *record.FarLeg) bool {
	if c.Times.Final == 0 || leg.Delay < c.Times.Final-tolerance {
		return false
	}
	return c.Outcome.Class == record.Cancelled || leg != &c.Far[0]
}

func destination(live, shadow *record.Call) []Difference {
	_, moved, lost, added := pairLegs(live, shadow)
	lost = slices.DeleteFunc(lost, func(l *record.FarLeg) bool { return unsettled(live, l) })
	added = slices.DeleteFunc(added, func(s *record.FarLeg) bool { return unsettled(shadow, s) })
	var ds []Difference
	for _, p := range moved {
		to := translated(p.live.To, p.shadow.To)
		ds = append(ds, Difference{From: coarse(p.live.To), To: to, Words: movedWords(p), Detail: detail(p.live.To, p.shadow.To)})
	}
	for _, l := range lost {
		d := Difference{Kind: Lost, From: l.Party, Words: "fewer phones ring", Detail: string(l.To)}
		switch {
		case l.Party != "phone":
			d.Words = "calls are not passed on to the " + l.Party
		case len(shadow.Far) == 0:
			d.Words = "nobody's phone rings"
		}
		ds = append(ds, d)
	}
	for _, s := range added {
		d := Difference{Kind: Added, To: s.Party, Words: "more phones ring than on legacy", Detail: string(s.To)}
		if s.Party != "phone" {
			d.Words = "calls go out to a " + s.Party + " that legacy does not place: a wrong bill"
		}
		ds = append(ds, d)
	}
	return ds
}

func movedWords(p legPair) string {
	switch n := tooShort(p.live.To, p.shadow.To); {
	case n == 1:
		return "a digit is missing in the dialled number"
	case n > 1:
		return "digits are missing in the dialled number"
	case n < 0:
		return "there are too many digits in the dialled number"
	case string(p.shadow.To) == "voicemail":
		return "calls go to voicemail instead of where legacy sends them"
	case p.live.Party == "phone":
		return "another phone rings"
	case coarse(p.live.To) == classNumber && coarse(p.shadow.To) != classNumber:
		return "the dialled number is not made an international one: calls go astray"
	}
	return "calls go to another number: the dialled one comes out otherwise"
}

func detail(l, s record.Address) string { return fmt.Sprintf("%s, core %s", l, s) }

// order: of two legs that one side rings clearly one after the other, the other side rings the second clearly first.
// Legs that ring together have no order.
func order(live, shadow *record.Call) []Difference {
	same, _, _, _ := pairLegs(live, shadow)
	if !inverted(same) {
		return nil
	}
	words := "a hunt group rings in another order"
	if same[0].live.Party != "phone" {
		words = "the ways out are tried in another order"
	}
	return []Difference{{Kind: Order, Words: words}}
}

func inverted(same []legPair) bool {
	for i, a := range same {
		for _, b := range same[i+1:] {
			l, s := b.live.Delay-a.live.Delay, b.shadow.Delay-a.shadow.Delay
			if l > tolerance && s < -tolerance || l < -tolerance && s > tolerance {
				return true
			}
		}
	}
	return false
}

// delay compares when the later legs ring, counted from the first one: how long that takes is a time.
func delay(live, shadow *record.Call) []Difference {
	same, _, _, _ := pairLegs(live, shadow)
	if len(same) < 2 || inverted(same) {
		return nil
	}
	first := slices.MinFunc(same, func(a, b legPair) int { return int(a.live.Delay - b.live.Delay) })
	var ds []Difference
	for _, p := range same {
		late := (p.shadow.Delay - first.shadow.Delay) - (p.live.Delay - first.live.Delay)
		if late.Abs() <= tolerance {
			continue
		}
		d := Difference{Kind: Later, To: howLong(late), Detail: fmt.Sprintf("after %s, core after %s",
			(p.live.Delay - first.live.Delay).Round(100*time.Millisecond), (p.shadow.Delay - first.shadow.Delay).Round(100*time.Millisecond))}
		how := "later"
		if late < 0 {
			d.Kind, how = Earlier, "sooner"
		}
		switch {
		case voicemail(live, p.live):
			d.Words = "voicemail answers " + how
		case p.live.Party == "phone":
			d.Words = "the next phone of a group rings " + how
		default:
			d.Words = "the next way out is tried " + how
		}
		ds = append(ds, d)
	}
	return ds
}

func voicemail(c *record.Call, l *record.FarLeg) bool {
	return string(l.To) == "voicemail" || slices.Contains(c.Features, record.FeatureVoicemail) && l == &c.Far[len(c.Far)-1]
}
