package main

import (
	"bufio"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/hotcut/hotcut/migration"
)

// confirm asks what the plan wants to be asked, or takes the flags for the answer. Without a terminal nothing asks: the
// flag that is missing is named instead.
func (a *app) confirm(p *migration.Plan) error {
	asking, want := p.Asking()
	if asking == migration.AskNothing {
		return nil
	}
	if a.conf.Output == "table" && (a.asks && !a.change.yes || len(p.CoreWard()) > 0) {
		a.talkPlan(p)
	}
	switch {
	case asking == migration.AskYes && a.change.yes:
		return nil
	case asking != migration.AskYes && a.change.confirm != "":
		if a.change.confirm != want {
			return usage(fmt.Errorf("--confirm %s is not what this does: %s", a.change.confirm, wanted(asking, want)))
		}
		return nil
	case !a.asks:
		return a.unasked(asking, want)
	}
	return a.ask(p, asking, want)
}

// talkPlan shows the plan on stderr, before a question or a commit towards core.
func (a *app) talkPlan(p *migration.Plan) {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	a.planTable(w, p)
	if w.Flush() == nil {
		a.say("%s", strings.TrimSuffix(trimLines(b.String()), "\n"))
	}
}

func wanted(asking migration.Asking, want string) string {
	if asking == migration.AskNumber {
		return "it moves " + want + " tenants towards core"
	}
	return "the tenant is " + want
}

// unasked names the flag that stands for the answer.
func (a *app) unasked(asking migration.Asking, want string) error {
	if asking == migration.AskYes {
		return usage(fmt.Errorf("this wants a yes, and there is no terminal to ask on"), a.again("--yes"))
	}
	return usage(fmt.Errorf("this wants to be confirmed (%s), and there is no terminal to ask on", wanted(asking, want)), a.again("--confirm "+want))
}

// again is this command line, to be typed once more with a flag.
func (a *app) again(flag string) string {
	words := []string{"hotcut"}
	for _, w := range a.args {
		if strings.Contains(w, "://") {
			w = redacted(w) // a password is not repeated on a screen or in a log
		}
		if w == "" || strings.ContainsAny(w, " \t\n'\"\\$&|;<>()*?[]#~`!{}") {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		words = append(words, w)
	}
	return strings.TrimSpace(strings.Join(append(words, flag), " "))
}

func (a *app) ask(p *migration.Plan, asking migration.Asking, want string) error {
	switch asking {
	case migration.AskNumber:
		return a.askFor(want+" tenants move towards core. Type the number: ", want)
	case migration.AskName:
		return a.askFor("Instant rollback of "+want+" ends here. Type its name: ", want)
	}
	return a.askYes(question(p))
}

// askYes asks one y/N.
func (a *app) askYes(what string) error {
	answer, err := a.line(what + " [y/N] ")
	if err != nil {
		return err
	}
	if !strings.EqualFold(answer, "y") && !strings.EqualFold(answer, "yes") {
		return errDeclined
	}
	return nil
}

func (a *app) askFor(prompt, want string) error {
	answer, err := a.line(prompt)
	if err != nil {
		return err
	}
	if answer != want {
		return errDeclined
	}
	return nil
}

// line asks on the terminal. No answer is no.
func (a *app) line(prompt string) (string, error) {
	to := a.err
	if !isTerminal(a.err) {
		to = a.in // stderr goes elsewhere: the question must not
	}
	fmt.Fprint(to, prompt)
	line, err := bufio.NewReader(a.in).ReadString('\n')
	if err != nil && line == "" {
		return "", errDeclined
	}
	return strings.TrimSpace(line), nil
}

// question is what one y answers.
func question(p *migration.Plan) string {
	if len(p.Moves) == 1 {
		m := p.Moves[0]
		if m.To == "absent" {
			return fmt.Sprintf("Remove %s?", m.Tenant)
		}
		if m.From == m.To {
			return fmt.Sprintf("Change %s of %s?", list(m.Fields, 4), m.Tenant)
		}
		return fmt.Sprintf("Move %s to %s?", m.Tenant, m.To)
	}
	return fmt.Sprintf("Move %s?", plural(p.Moving(), "tenant"))
}
