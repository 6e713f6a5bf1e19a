package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"go.yaml.in/yaml/v3"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/policy"
)

// envelope is every answer and every error of every command, in the output forms for programs.
type envelope struct {
	APIVersion string              `json:"apiVersion"`
	Kind       string              `json:"kind"`
	Rev        uint64              `json:"rev"`
	Epoch      string              `json:"epoch"`
	Freshness  migration.Freshness `json:"freshness"`
	Data       any                 `json:"data"`
	Warnings   []string            `json:"warnings"`
	Next       []string            `json:"next"`
	Error      *errorBody          `json:"error,omitempty"`
}

type errorBody struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	Retryable bool   `json:"retryable"`
}

const apiVersion = "hotcut/v1"

// result is what a verb has to say. table prints it for people.
type result struct {
	kind     string
	rev      uint64
	epoch    string
	fresh    migration.Freshness
	data     any
	table    func(io.Writer)
	warnings []string
	next     []string
}

func checkOutput(form string) error {
	switch form {
	case "table", "json", "yaml", "jsonl":
		return nil
	}
	return usage(fmt.Errorf("--output %q: write table, json, yaml or jsonl", form))
}

// show gives a result out: a table at once, the other forms at the end, when it is known whether an error goes with it.
func (a *app) show(r result) error {
	if a.conf.Output != "table" {
		a.pending = &r
		return nil
	}
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	if r.table != nil {
		r.table(w)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if _, err := io.WriteString(a.out, trimLines(b.String())); err != nil {
		return err
	}
	for _, warning := range r.warnings {
		a.warn(warning)
	}
	for _, n := range r.next {
		a.say("next: %s", n)
	}
	return nil
}

func (a *app) warn(s string) { a.say("%s %s", a.paint("33", "warning:"), s) }

// paint colours a word on a terminal (ECMA-48 select graphic rendition).
func (a *app) paint(sgr, s string) string {
	if !a.colours {
		return s
	}
	return "\x1b[" + sgr + "m" + s + "\x1b[0m"
}

// trimLines takes away the blanks that a table leaves behind its last column.
func trimLines(s string) string {
	lines := strings.SplitAfter(s, "\n")
	for i, l := range lines {
		if body, ended := strings.CutSuffix(l, "\n"); ended {
			lines[i] = strings.TrimRight(body, " ") + "\n"
		}
	}
	return strings.Join(lines, "")
}

// flush prints what is pending in a form for programs. failed may be nil.
func (a *app) flush(failed *failure) error {
	r := a.pending
	if r == nil {
		if failed == nil {
			return nil
		}
		r = &result{kind: "Error", fresh: live}
		if failed.exit == exitStore {
			r.fresh.State = policy.Stale
		}
	}
	a.pending = nil
	e := envelope{APIVersion: apiVersion, Kind: r.kind, Rev: r.rev, Epoch: r.epoch, Freshness: r.fresh, Data: r.data,
		Warnings: orEmpty(r.warnings), Next: orEmpty(r.next)}
	if failed != nil {
		e.Error = &errorBody{Code: failed.code, Message: failed.Error(), Retryable: failed.retryable}
		e.Next = append(e.Next, failed.next...)
	}
	return encode(a.out, a.conf.Output, e)
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// encode writes one envelope. In jsonl a list is a line per element, so that a stream can be read as it comes; an error
// is a line of its own.
func encode(w io.Writer, form string, e envelope) error {
	switch form {
	case "yaml":
		b, err := marshal(e, "")
		if err != nil {
			return err
		}
		return writeYAML(w, b)
	case "jsonl":
		return writeLines(w, e)
	}
	b, err := marshal(e, "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

// marshal leaves <, > and & as they are: URIs are read by people too.
func marshal(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	err := enc.Encode(v)
	return b.Bytes(), err
}

func writeLines(w io.Writer, e envelope) error {
	raw, err := marshal(e.Data, "")
	if err != nil {
		return err
	}
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil || items == nil {
		b, err := marshal(e, "")
		if err != nil {
			return err
		}
		_, err = w.Write(b)
		return err
	}
	failed := e.Error
	e.Error = nil
	for _, item := range items {
		e.Data = item
		b, err := marshal(e, "")
		if err != nil {
			return err
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	if failed == nil {
		return nil
	}
	e.Data, e.Error = nil, failed
	b, err := marshal(e, "")
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

// writeYAML turns JSON, which is YAML, into YAML as people write it, with the fields in the same order.
func writeYAML(w io.Writer, b []byte) error {
	var node yaml.Node
	if err := yaml.Unmarshal(b, &node); err != nil {
		return err
	}
	plain(&node)
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(&node); err != nil {
		return err
	}
	return enc.Close()
}

// plain drops the quotes and braces of JSON where YAML needs none. Empty lists and maps keep theirs.
func plain(n *yaml.Node) {
	if len(n.Content) > 0 || n.Kind == yaml.ScalarNode {
		n.Style = 0
	}
	for _, c := range n.Content {
		plain(c)
	}
}

// finish prints what is pending and the error, and returns the exit code.
func (a *app) finish(err error) int {
	if a.opened != nil {
		err = join(err, a.opened.Close())
	}
	var failed *failure
	if err != nil {
		failed = judge(err)
		if a.conf.Output == "" {
			a.conf.Output = a.flags.output // the flags were refused before they were looked at
		}
		if checkOutput(a.conf.Output) != nil {
			a.conf.Output = "table"
		}
	}
	if a.conf.Output != "table" {
		if werr := a.flush(failed); werr != nil {
			a.say("%s %v", a.paint("31", "error:"), werr)
			return exitError
		}
	} else if failed != nil {
		a.say("%s %s", a.paint("31", "error:"), failed.Error())
		for _, n := range failed.next {
			a.say("next: %s", n)
		}
	}
	if failed != nil {
		return failed.exit
	}
	return exitDone
}

// join keeps the first error: the one that a person has to act on.
func join(first, second error) error {
	if first != nil {
		return first
	}
	return second
}
