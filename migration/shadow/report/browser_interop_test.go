//go:build interop

package report

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func written(t *testing.T, d *Document) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report of acme.html")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := HTML(f, d); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}

const visible = `[...document.querySelectorAll(".cluster")].filter(c => c.checkVisibility()).length`

// A person opens the file, filters, and expands a kind of difference.
func TestBrowser(t *testing.T) {
	b := openBrowser(t)
	page := written(t, fixture())
	b.open(page, 1440, "light")
	if n := b.number(visible); n != 6 {
		t.Fatalf("%v clusters, want 6", n)
	}

	// By words, typed after "/".
	b.key("/", "Slash", 191, "/")
	if !b.yes(`document.activeElement.id === "q"`) {
		t.Error("/ does not lead to the search")
	}
	b.write("caller id")
	if n := b.number(visible); n != 1 {
		t.Errorf("%v clusters of caller ID, want 1", n)
	}
	if !b.yes(`location.hash.includes("q=caller")`) {
		t.Error("the filter is not in the address: a link to it can not be sent")
	}

	// It expands, and shows both ladders side by side and the fields.
	const open = `document.querySelector(".cluster:not([hidden]) details").open`
	if b.yes(open) {
		t.Error("open before anybody opened it")
	}
	b.click(".cluster:not([hidden]) summary")
	if !b.yes(open) {
		t.Error("a click does not expand it")
	}
	if !b.yes(`(() => { const l = [...document.querySelectorAll(".cluster:not([hidden]) .ladder")].map(e => e.getBoundingClientRect());
		return l.length === 2 && l[0].top === l[1].top && l[0].right <= l[1].left })()`) {
		t.Error("the ladders are not side by side")
	}
	if !b.yes(`document.querySelector(".cluster:not([hidden]) .diff").innerText.includes("anonymous")`) {
		t.Error("no field by field")
	}
	b.key("Tab", "Tab", 9, "")
	if !b.yes(`document.activeElement !== document.body`) {
		t.Error("the keyboard leads nowhere")
	}

	// By severity, by scenario, and back.
	b.eval(`document.getElementById("q").value = ""; document.getElementById("q").dispatchEvent(new Event("input", {bubbles: true}))`, nil)
	b.click(`.chip.critical`)
	if n := b.number(visible); n != 4 {
		t.Errorf("%v clusters that are not critical, want 4", n)
	}
	b.eval(`(() => { const s = document.getElementById("scenario"); s.value = "out/phone/pstn answered"; s.dispatchEvent(new Event("input", {bubbles: true})) })()`, nil)
	if n := b.number(visible); n != 1 {
		t.Errorf("%v clusters of the scenario, want 1", n)
	}
	b.write("")
	b.click(`button[type=reset]`)
	b.eval(`new Promise(r => setTimeout(r))`, nil) // the reset shows after its event
	if n := b.number(visible); n != 6 {
		t.Errorf("%v clusters after a reset, want 6", n)
	}

	// By the keyboard alone.
	b.eval(`document.querySelector(".cluster details").open = false; document.querySelector(".cluster summary").focus()`, nil)
	b.key("Enter", "Enter", 13, "\r")
	if !b.yes(`document.querySelector(".cluster details").open`) {
		t.Error("Enter does not expand")
	}

	// A link to a cluster, and to a filter.
	id := string(fixture().Clusters[2].ID)
	b.open(page+"#c-"+id, 1440, "dark")
	if !b.yes(fmt.Sprintf(`document.getElementById("c-%s").open`, id)) {
		t.Error("a link to a cluster does not open it")
	}
	b.open(page+"#severity=major", 1440, "dark")
	if n := b.number(visible); n != 2 {
		t.Errorf("%v clusters by a link to major, want 2", n)
	}

	for _, width := range []int{1440, 360} {
		for _, scheme := range []string{"light", "dark"} {
			b.open(page, width, scheme)
			b.eval(`document.querySelector(".cluster details").open = true`, nil)
			if wide := b.number(`document.documentElement.scrollWidth`); wide > float64(width) {
				t.Errorf("at %d px the page is %v px wide", width, wide)
			}
			dark := b.yes(`(() => { const c = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number); return c[0] + c[1] + c[2] < 200 })()`)
			if dark != (scheme == "dark") {
				t.Errorf("%s: dark is %v", scheme, dark)
			}
			b.picture(fmt.Sprintf("report-%d-%s", width, scheme))
		}
	}
	for _, u := range b.asked {
		if !strings.HasPrefix(u, "file://") && u != "about:blank" {
			t.Errorf("the page asked for %s", u)
		}
	}
	if len(b.said) > 0 {
		t.Errorf("the browser complains: %s", b.said)
	}
}

// What a hostile caller wrote does nothing but stand there.
func TestBrowserHostile(t *testing.T) {
	b := openBrowser(t)
	b.open(written(t, hostile()), 360, "light")
	if b.yes(`"owned" in window || document.title === "owned" || [...document.querySelectorAll("img, iframe, object, embed, link, base, script[src]")].length > 0`) {
		t.Error("a value became markup")
	}
	if n := b.number(`document.scripts.length`); n != 1 {
		t.Errorf("%v scripts, want ours", n)
	}
	if wide := b.number(`document.documentElement.scrollWidth`); wide > 360 {
		t.Errorf("a long value makes the page %v px wide", wide)
	}
	if n := b.number(visible); n == 0 {
		t.Error("the page shows nothing")
	}
	for _, u := range b.asked {
		if !strings.HasPrefix(u, "file://") && u != "about:blank" {
			t.Errorf("the page asked for %s", u)
		}
	}
}

// Hundreds of kinds of difference, each with its ladders.
func TestBrowserMany(t *testing.T) {
	b := openBrowser(t)
	b.open(written(t, many(200)), 1440, "light")
	b.eval(`document.getElementById("q").focus()`, nil)
	b.write("voicemail")
	if n := b.number(visible); n != 1 {
		t.Errorf("%v clusters of voicemail, want 1", n)
	}
}
