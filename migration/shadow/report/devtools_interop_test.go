//go:build interop

package report

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"
)

// browser is a Chromium of this test's own, driven by the DevTools protocol over a pair of pipes: JSON that ends with a NUL
// byte, on the browser's descriptors 3 and 4.
type browser struct {
	t       *testing.T
	in      io.Writer
	out     *bufio.Reader
	session string // of the one tab
	n       int
	asked   []string // URLs of every request that the page made
	said    []string // what the console and the security policy said
	timeout time.Duration
}

func openBrowser(t *testing.T) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("no chromium: .ci/peers installs it: %v", err)
	}
	theirIn, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	dir, err := os.MkdirTemp("", "hotcut-browser-") // not t.TempDir: children of the browser may still write when it is killed
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, path, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--hide-scrollbars", "--remote-debugging-pipe", "--user-data-dir="+dir, "about:blank")
	cmd.ExtraFiles = []*os.File{theirIn, theirOut}
	cmd.Env = append(os.Environ(), "HOME="+dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirIn.Close()
	theirOut.Close()
	t.Cleanup(func() {
		in.Close()
		cancel()
		_ = cmd.Wait() // killed: that is its error
		out.Close()
		_ = os.RemoveAll(dir)
	})
	b := &browser{t: t, in: in, out: bufio.NewReaderSize(out, 1<<20), timeout: 2 * time.Minute}
	if err := out.SetReadDeadline(time.Now().Add(4 * b.timeout)); err != nil {
		t.Fatal(err)
	}
	var made struct {
		TargetID string `json:"targetId"`
	}
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &made)
	var attached struct {
		SessionID string `json:"sessionId"`
	}
	b.call("Target.attachToTarget", map[string]any{"targetId": made.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Network", "Log"} {
		b.call(domain+".enable", nil, nil)
	}
	return b
}

// answer is a message of the browser: to a command, or of an event.
type answer struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Result json.RawMessage `json:"result"`
	Params json.RawMessage `json:"params"`
	Error  *struct{ Message string }
}

// call sends a command and waits for its answer, noting events on the way.
func (b *browser) call(method string, params map[string]any, result any) {
	b.t.Helper()
	b.n++
	m := map[string]any{"id": b.n, "method": method}
	if params != nil {
		m["params"] = params
	}
	if b.session != "" {
		m["sessionId"] = b.session
	}
	raw, err := json.Marshal(m)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.in.Write(append(raw, 0)); err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
	a := b.until(func(a *answer) bool { return a.ID == b.n })
	if a.Error != nil {
		b.t.Fatalf("%s: %s", method, a.Error.Message)
	}
	if result != nil {
		if err := json.Unmarshal(a.Result, result); err != nil {
			b.t.Fatalf("%s: %v", method, err)
		}
	}
}

func (b *browser) until(wanted func(*answer) bool) *answer {
	b.t.Helper()
	for {
		raw, err := b.out.ReadBytes(0)
		if err != nil {
			b.t.Fatalf("the browser went away: %v", err)
		}
		var a answer
		if err := json.Unmarshal(raw[:len(raw)-1], &a); err != nil {
			b.t.Fatal(err)
		}
		var p struct {
			Request struct{ URL string }
			Entry   struct{ Text string }
			Type    string
			Args    []struct{ Value any }
			Details *struct{ Text string } `json:"exceptionDetails"`
		}
		if a.Method != "" {
			_ = json.Unmarshal(a.Params, &p) // an event of another form has none of these
		}
		switch a.Method {
		case "Network.requestWillBeSent":
			b.asked = append(b.asked, p.Request.URL)
		case "Log.entryAdded":
			b.said = append(b.said, p.Entry.Text)
		case "Runtime.exceptionThrown":
			b.said = append(b.said, string(a.Params))
		case "Runtime.consoleAPICalled":
			b.said = append(b.said, fmt.Sprint(p.Type, p.Args))
		}
		if wanted(&a) {
			return &a
		}
	}
}

// open loads a page at a width, light or dark.
func (b *browser) open(url string, width int, scheme string) {
	b.t.Helper()
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}, nil)
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
	b.call("Page.navigate", map[string]any{"url": "about:blank"}, nil) // else a change of fragment alone loads nothing
	b.until(func(a *answer) bool { return a.Method == "Page.loadEventFired" })
	b.call("Page.navigate", map[string]any{"url": url}, nil)
	b.until(func(a *answer) bool { return a.Method == "Page.loadEventFired" })
}

// eval runs an expression in the page, a promise to its end.
func (b *browser) eval(expression string, to any) {
	b.t.Helper()
	var r struct {
		Result    struct{ Value json.RawMessage }
		Exception *struct {
			Text      string
			Exception struct{ Description string }
		} `json:"exceptionDetails"`
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}, &r)
	if r.Exception != nil {
		b.t.Fatalf("%s: %s %s", expression, r.Exception.Text, r.Exception.Exception.Description)
	}
	if to != nil {
		if err := json.Unmarshal(r.Result.Value, to); err != nil {
			b.t.Fatalf("%s: %s: %v", expression, r.Result.Value, err)
		}
	}
}

// number, text and yes evaluate to what their names say.
func (b *browser) number(expression string) (n float64) {
	b.t.Helper()
	b.eval(expression, &n)
	return n
}
func (b *browser) yes(expression string) (y bool) { b.t.Helper(); b.eval(expression, &y); return y }

// click presses the mouse in the middle of an element, where a person would.
func (b *browser) click(selector string) {
	b.t.Helper()
	var at struct{ X, Y float64 }
	b.eval(fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.scrollIntoView({block: "center", behavior: "instant"});
		const r = e.getBoundingClientRect(); return {X: r.left + r.width / 2, Y: r.top + r.height / 2} })()`, selector), &at)
	for _, kind := range []string{"mousePressed", "mouseReleased"} {
		b.call("Input.dispatchMouseEvent", map[string]any{"type": kind, "x": at.X, "y": at.Y, "button": "left", "clickCount": 1}, nil)
	}
}

// write types text where the focus is; key presses one key.
func (b *browser) write(s string) {
	b.t.Helper()
	b.call("Input.insertText", map[string]any{"text": s}, nil)
}

func (b *browser) key(name, code string, vk int, text string) {
	b.t.Helper()
	for _, kind := range []string{"keyDown", "keyUp"} {
		p := map[string]any{"type": kind, "key": name, "code": code, "windowsVirtualKeyCode": vk}
		if kind == "keyDown" && text != "" {
			p["text"] = text
		}
		b.call("Input.dispatchKeyEvent", p, nil)
	}
}

// picture saves what the page looks like from top to end, for people: HOTCUT_PICTURES names the folder.
func (b *browser) picture(name string) {
	b.t.Helper()
	dir := os.Getenv("HOTCUT_PICTURES")
	if dir == "" {
		return
	}
	var shot struct{ Data []byte }
	b.call("Page.captureScreenshot", map[string]any{"captureBeyondViewport": true, "format": "png",
		"clip": map[string]any{"x": 0, "y": 0, "width": b.number("document.documentElement.clientWidth"), "height": b.number("document.documentElement.scrollHeight"), "scale": 1}}, &shot)
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(dir+"/"+name+".png", shot.Data, 0o644)); err != nil {
		b.t.Fatal(err)
	}
}
