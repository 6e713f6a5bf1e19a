package report

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/record"
)

// Bounds of one ladder: what does not fit is counted, not drawn.
const (
	maxSteps = 60
	maxFar   = 4
	maxLabel = 120 // bytes of a start line
)

// Ladder is one side of a call as arrows between the parties.
type Ladder struct {
	Side  record.Side
	Lanes []string // the caller, the platform, who the platform called
	Steps []Step
	Cut   int      // messages that are not shown
	Legs  int      // far legs that are not shown
	Notes []string // of the exchange
}

// Step is one message.
type Step struct {
	At         time.Duration // since the first message
	From, To   int           // lanes
	Label      string        // "INVITE", "180 Ringing"
	Line       string        // the start line whole
	SDP        bool
	Code       int  // 0: a request
	Only       bool // the other side has no such message here
	Row        int  // the same for what both sides have in common
	Unexpected bool
	Text       string // the message, redacted
}

// ladders draws both sides and marks what only one has.
func ladders(p *Pair) (live, shadow Ladder) {
	live, shadow = ladderOf(p.Live, record.Live), ladderOf(p.Shadow, record.Shadow)
	align(live.Steps, shadow.Steps)
	return live, shadow
}

func ladderOf(x *record.Exchange, side record.Side) Ladder {
	l := Ladder{Side: side, Lanes: []string{"caller", "legacy"}}
	if side == record.Shadow {
		l.Lanes[1] = "dark core"
	}
	if x == nil {
		return l
	}
	l.Lanes[0] = or(clean(x.Near.Party, 12), "caller")
	for _, n := range append(slices.Clone(x.Notes), x.Unpaired, x.Incomplete) {
		if n != "" {
			l.Notes = append(l.Notes, clean(n, 200))
		}
	}
	type placed struct {
		m        *record.Message
		from, to int
		odd      bool
	}
	var all []placed
	put := func(leg *record.Leg, near, far int) {
		for i := range leg.Messages {
			m := &leg.Messages[i]
			from, to := near, far
			if m.Upstream {
				from, to = far, near
			}
			all = append(all, placed{m, from, to, m.Unexpected || leg.Unexpected})
		}
	}
	put(&x.Near, 0, 1)
	for i := range x.Far {
		if i == maxFar {
			l.Legs = len(x.Far) - maxFar
			break
		}
		name := or(clean(x.Far[i].Party, 12), "far")
		if len(x.Far) > 1 {
			name += " " + strconv.Itoa(i+1)
		}
		l.Lanes = append(l.Lanes, name)
		put(&x.Far[i], 1, 2+i)
	}
	slices.SortStableFunc(all, func(a, b placed) int { return int(min(max(a.m.At-b.m.At, -1), 1)) })
	for i, p := range all {
		if i == maxSteps {
			l.Cut = len(all) - maxSteps
			break
		}
		s := stepOf(p.m)
		s.At = time.Duration(p.m.At - all[0].m.At)
		s.From, s.To, s.Unexpected = p.from, p.to, p.odd
		l.Steps = append(l.Steps, s)
	}
	return l
}

// stepOf reads the start line of a message, which is all that a ladder says of it.
func stepOf(m *record.Message) Step {
	line, _, _ := bytes.Cut(m.Raw, []byte("\n"))
	if len(line) > maxLabel {
		line = line[:maxLabel]
	}
	s := Step{Line: clean(strings.TrimSpace(string(line)), maxLabel), SDP: bytes.Contains(m.Raw, []byte("\nm=")), Text: text(m.Raw)}
	if rest, ok := strings.CutPrefix(s.Line, "SIP/2.0 "); ok {
		code, phrase, _ := strings.Cut(rest, " ")
		if n, err := strconv.Atoi(code); err == nil && n >= 100 && n < 700 {
			s.Code, s.Label = n, strings.TrimSpace(fmt.Sprintf("%d %s", n, phrase))
			return s
		}
	}
	s.Label, _, _ = strings.Cut(s.Line, " ")
	if s.Label == "" {
		s.Label = "?"
	}
	return s
}

// maxText bounds what is shown of one message.
const maxText = 4 << 10

func text(raw []byte) string {
	cut := ""
	if len(raw) > maxText {
		raw, cut = raw[:maxText], "…"
	}
	return strings.ReplaceAll(strings.ToValidUTF8(string(raw), "?"), "\r\n", "\n") + cut
}

// key is what makes two messages of both sides the same step: who, to whom, and the method or code.
func (s *Step) key() string {
	what := s.Label
	if s.Code != 0 {
		what = strconv.Itoa(s.Code)
	}
	return fmt.Sprintf("%d>%d %s", s.From, s.To, what)
}

// align finds the longest common course of both sides, puts it into the same rows, and marks what is in one only. 100 Trying
// says nothing.
func align(a, b []Step) {
	common := make([][]uint8, len(a)+1) // bounded: maxSteps fits
	for i := range common {
		common[i] = make([]uint8, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i].key() == b[j].key() {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for row := 0; i < len(a) || j < len(b); row++ {
		switch {
		case i < len(a) && j < len(b) && a[i].key() == b[j].key():
			a[i].Row, b[j].Row = row, row
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			a[i].Row, a[i].Only = row, a[i].Code != 100
			i++
		default:
			b[j].Row, b[j].Only = row, b[j].Code != 100
			j++
		}
	}
}
