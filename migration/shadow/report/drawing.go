package report

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/compare"
)

// Geometry of a ladder, in CSS pixels.
const (
	gutter   = 46 // for the times
	laneStep = 120
	laneEdge = 36
	rowStep  = 34
	topRow   = 54
)

// drawing is a ladder with its coordinates.
type drawing struct {
	*Ladder
	W, H   int
	Lines  []laneLine
	Arrows []arrow
	Words  string // for who does not see it
	Foot   []string
}

type laneLine struct {
	X, Y1, Y2 int
	Name      string
}

type arrow struct {
	Step
	X1, X2, Y int
	Head      string // path of the arrow's head
	TextX     int
	TextY     int
	Shown     string // label, cut to the room
	Class     string
	When      string
}

func draw(l *Ladder, rows int) drawing {
	d := drawing{Ladder: l, W: gutter + laneEdge*2 + laneStep*(len(l.Lanes)-1), H: topRow + rowStep*rows - 4, Foot: ladderNotes(l)}
	x := func(lane int) int { return gutter + laneEdge + laneStep*lane }
	for i, name := range l.Lanes {
		d.Lines = append(d.Lines, laneLine{x(i), 26, d.H, name})
	}
	var words []string
	for _, s := range l.Steps {
		a := arrow{Step: s, X1: x(s.From), X2: x(s.To), Y: topRow + rowStep*s.Row, When: span(s.At)}
		dir := 1
		if a.X2 < a.X1 {
			dir = -1
		}
		a.Head = fmt.Sprintf("M%d %dl%d -4v8z", a.X2, a.Y, -8*dir)
		a.X2 -= 6 * dir
		a.TextX, a.TextY = (x(s.From)+x(s.To))/2, a.Y-5
		label := s.Label
		if s.SDP {
			label += " ◦sdp"
		}
		a.Shown, a.Class = clean(label, 17), stepClass(&s)
		d.Arrows = append(d.Arrows, a)
		words = append(words, fmt.Sprintf("%s %s to %s %s", a.When, l.Lanes[s.From], l.Lanes[s.To], s.Label))
	}
	d.Words = l.Lanes[1] + ": " + strings.Join(words, "; ")
	return d
}

func stepClass(s *Step) string {
	class := "req"
	switch {
	case s.Code >= 400:
		class = "bad"
	case s.Code >= 200:
		class = "ok"
	case s.Code > 0:
		class = "prov"
	}
	if s.Only {
		class += " only"
	}
	if s.Unexpected {
		class += " odd"
	}
	return class
}

// Geometry of a distribution: logarithmic from 1 ms to 100 s.
const (
	plotW, plotH = 320, 110
	plotFrom     = time.Millisecond
	decades      = 5
)

type timeView struct {
	*compare.TimeView
	LivePath, ShadowPath string
	LiveX, ShadowX       string // of the medians; "" no call
	Ticks                []tick
	W, H                 int
}

type tick struct {
	X    string
	Name string
}

func plotX(d time.Duration) float64 {
	if d < plotFrom {
		return 0
	}
	return min(plotW*math.Log10(float64(d)/float64(plotFrom))/decades, plotW)
}

func timeViewOf(t *compare.TimeView) timeView {
	v := timeView{TimeView: t, W: plotW, H: plotH}
	top := max(peak(t.Live), peak(t.Shadow))
	v.LivePath, v.ShadowPath = steps(t.Live, top), steps(t.Shadow, top)
	if t.Live.N > 0 {
		v.LiveX = coordinate(plotX(t.Live.Median))
	}
	if t.Shadow.N > 0 {
		v.ShadowX = coordinate(plotX(t.Shadow.Median))
	}
	for i, name := range []string{"1 ms", "10 ms", "100 ms", "1 s", "10 s", "100 s"} {
		v.Ticks = append(v.Ticks, tick{coordinate(plotW * float64(i) / decades), name})
	}
	return v
}

// density of a bucket: the share of calls per width on the axis, so that wide buckets do not look tall.
func density(q compare.Quantiles, b compare.Bucket) float64 {
	return float64(b.N) / float64(max(q.N, 1)) / max(plotX(b.To)-plotX(b.From), 0.5)
}

func peak(q compare.Quantiles) float64 {
	top := 0.0
	for _, b := range q.Buckets {
		top = max(top, density(q, b))
	}
	return top
}

// steps is the outline of a distribution over the axis.
func steps(q compare.Quantiles, top float64) string {
	if q.N == 0 || top == 0 {
		return ""
	}
	var s strings.Builder
	fmt.Fprintf(&s, "M0 %d", plotH)
	last := 0.0
	for _, b := range q.Buckets {
		from, to := plotX(b.From), plotX(b.To)
		to = max(to, from+0.5)
		y := plotH - (plotH-8)*density(q, b)/top
		if from > last {
			fmt.Fprintf(&s, "V%dH%.1f", plotH, from)
		}
		fmt.Fprintf(&s, "V%.1fH%.1f", y, to)
		last = to
	}
	fmt.Fprintf(&s, "V%dZ", plotH)
	return s.String()
}

func coordinate(x float64) string { return fmt.Sprintf("%.1f", x) }

// whisker is an interval on a line of 100: the share as a point, the interval as a bar. The scale is that of a square root,
// so that one in a thousand can be seen.
type whisker struct{ X1, X2, W, X string }

func whiskerOf(r compare.Rate) whisker {
	x := func(share float64) float64 { return 100 * math.Sqrt(min(max(share, 0), 1)) }
	lo, hi := x(r.Low), x(r.High)
	return whisker{coordinate(lo), coordinate(hi), coordinate(max(hi-lo, 0.5)), coordinate(x(r.Share))}
}

type matrixView struct {
	Live, Shadow []string
	Rows         []matrixRow
	N            uint64
}

type matrixRow struct {
	Live  string
	Cells []matrixCell
}

type matrixCell struct {
	compare.Cell
	Class string
}

func matrixViewOf(cells []compare.Cell) matrixView {
	m := matrixOf(cells)
	v := matrixView{Live: m.Live, Shadow: m.Shadow, N: m.N}
	for i, live := range m.Live {
		row := matrixRow{Live: live}
		for _, c := range m.Cells[i] {
			class := "none"
			switch {
			case c.N == 0:
			case c.Live == c.Shadow:
				class = "same"
			case c.Rate.Share < 0.05:
				class = "few"
			default:
				class = "many"
			}
			row.Cells = append(row.Cells, matrixCell{c, class})
		}
		v.Rows = append(v.Rows, row)
	}
	return v
}

type coverageView struct {
	Words string
	Tiles []tile
}

type tile struct {
	compare.ScenarioView
	Class string
	Full  string // how far compared is on its way to enough, in percent
}

func coverageViewOf(c *compare.Coverage) coverageView {
	var v coverageView
	if len(c.Scenarios) > 0 {
		v.Words = upper(coverageWords(c)) + "."
	}
	for _, s := range c.Scenarios {
		t := tile{ScenarioView: s, Class: "none", Full: coordinate(min(100, 100*float64(s.Compared)/compare.CoverageEnough))}
		switch {
		case s.Enough:
			t.Class = "enough"
		case s.Compared > 0:
			t.Class = "some"
		}
		v.Tiles = append(v.Tiles, t)
	}
	return v
}

// trendView is one build as a row of points.
type trendView struct {
	compare.BuildView
	Rates []card
}

func trendOf(builds []compare.BuildView) []trendView {
	var out []trendView
	for _, b := range builds {
		t := trendView{BuildView: b}
		for _, s := range compare.Severities {
			t.Rates = append(t.Rates, card{s.String(), s.String(), rateOf(b.Severities, s)})
		}
		out = append(out, t)
	}
	return out
}
