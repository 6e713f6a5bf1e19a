package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/hotcut/hotcut/migration/shadow/compare"
)

//go:embed page/page.html.tmpl
var pageText string

//go:embed page/page.css
var pageCSS string

//go:embed page/page.js
var pageJS string

// page is parsed once: that it parses is known at the first test.
var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"share": share, "interval": interval, "counted": counted, "rate": rate, "span": span, "signed": signed, "moment": moment, "nanos": nanos,
	"day": day, "or": or, "percent": percent, "upper": upper, "state": stateWords, "shift": shiftWords, "whisker": whiskerOf, "noise": noiseWords, "of": func(n, of uint64) string { return rate(compare.NewRate(n, of)) }, "add": func(a, b int) int { return a + b },
}).Parse(pageText))

// view is a Document as the page wants it.
type view struct {
	*Document
	CSS    template.CSS
	JS     template.JS
	Policy string // Content-Security-Policy: nothing but these two

	Disclaimer string
	Period     string
	BuildName  string
	SureWords  string
	Cards      []card
	Clusters   []clusterView
	Scenarios  []string
	States     []string
	Matrix     matrixView
	Times      []timeView
	Coverage   coverageView
	Trend      []trendView
	Gaps       []gapList
	Reach      int // compare.CoverageEnough
}

type card struct {
	Title, Class string
	Rate         compare.Rate
}

type clusterView struct {
	*compare.ClusterView
	Pair         *Pair
	Live, Shadow drawing
	Search       string // what the filter looks in
}

type gapList struct {
	What  string
	Words string
	Rows  []compare.Counted
}

// HTML writes a report as one file that loads nothing.
func HTML(w io.Writer, d *Document) error {
	v := view{Document: d, CSS: template.CSS(pageCSS), JS: template.JS(pageJS), Policy: contentPolicy(), Disclaimer: disclaimer,
		Period: period(d), BuildName: buildWords(d), SureWords: sureWords(d), Matrix: matrixViewOf(d.Outcomes), Coverage: coverageViewOf(&d.Coverage),
		Trend: trendOf(d.Builds), Reach: compare.CoverageEnough}
	for _, s := range d.Severities {
		v.Cards = append(v.Cards, card{s.Severity.String(), s.Severity.String(), s.Rate})
	}
	v.Cards = append(v.Cards, card{"compared", "plain", d.Compared})
	for i := range d.Clusters {
		v.Clusters = append(v.Clusters, clusterOf(&d.Clusters[i], d.Examples[d.Clusters[i].ID]))
		v.Scenarios = append(v.Scenarios, d.Clusters[i].Scenario)
		v.States = append(v.States, string(d.Clusters[i].State))
	}
	for _, list := range []*[]string{&v.Scenarios, &v.States} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	for i := range d.Times {
		v.Times = append(v.Times, timeViewOf(&d.Times[i]))
	}
	for _, g := range []gapList{
		{"Missing", "calls that were copied and could not be compared", d.Missing},
		{"Dropped", "what was let go before it was a call", d.Dropped},
		{"Tables that were full", "calls that are counted here and nowhere else", d.Overflow},
	} {
		if len(g.Rows) > 0 {
			v.Gaps = append(v.Gaps, g)
		}
	}
	var b bytes.Buffer
	if err := page.Execute(&b, &v); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

func clusterOf(c *compare.ClusterView, p *Pair) clusterView {
	v := clusterView{ClusterView: c, Pair: p}
	v.Search = strings.ToLower(strings.Join([]string{string(c.ID), c.Words, c.Scenario, c.Field, c.Kind, c.From, c.To, c.Severity.String(), stateWords(c)}, " "))
	if p != nil {
		live, shadow := ladders(p)
		rows := 0
		for _, l := range []*Ladder{&live, &shadow} {
			for i := range l.Steps {
				rows = max(rows, l.Steps[i].Row+1)
			}
		}
		v.Live, v.Shadow = draw(&live, rows), draw(&shadow, rows)
	}
	return v
}

// contentPolicy forbids everything but the style and the script that we wrote, by their hashes.
func contentPolicy() string {
	hash := func(s string) string {
		h := sha256.Sum256([]byte(s))
		return "'sha256-" + base64.StdEncoding.EncodeToString(h[:]) + "'"
	}
	return "default-src 'none'; base-uri 'none'; form-action 'none'; style-src " + hash(pageCSS) + "; script-src " + hash(pageJS)
}
