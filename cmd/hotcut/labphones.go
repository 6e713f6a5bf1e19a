package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hotcut/hotcut/proxy/lab"
)

const (
	labBirchDesks = 12             // phones of the canary tenant: enough for a share to show
	labOften      = time.Hour      // what most phones ask to be registered for
	labSeldom     = 24 * time.Hour // what one of them does
	labRings      = 150 * time.Millisecond
	labNATIdle    = 20 * time.Second // after which the box forgets a phone that says nothing
	labPassword   = "a lab has no secrets"
)

// labPhone is a phone and the way it takes.
type labPhone struct {
	*lab.Phone
	name      string // its key in the world: the user part, unless the user has several phones
	edge      *lab.Edge
	transport string
	boxed     bool // behind the NAT
	late      bool // its first day is the one of the move
	asks      time.Duration
	rings     time.Duration // before it answers
}

func (p *labPhone) domain() string {
	_, domain, _ := strings.Cut(p.AOR(), "@")
	return domain
}

// way is how the phone is connected, as the story's lines have it.
func (p *labPhone) way() string {
	if p.boxed {
		return p.edge.Name + " " + p.transport + ", behind a NAT"
	}
	return p.edge.Name + " " + p.transport
}

// labPhones are the phones of the story.
var labPhones = func() []labPhone {
	list := []labPhone{
		{name: "alice@acme.example", transport: "udp", asks: labSeldom},
		{name: "anna@acme.example", transport: "tcp", asks: labOften},
		{name: "adam@acme.example", transport: "udp", asks: labOften, boxed: true},
		{name: "adam-2@acme.example", transport: "udp", asks: labOften},
		{name: "carol@cedar.example", transport: "tcp", asks: labOften, rings: labRings},
		{name: "cyril@cedar.example", transport: "udp", asks: labOften, rings: labRings},
	}
	for i := range labBirchDesks {
		list = append(list, labPhone{name: labDesk(i) + "@birch.example", transport: []string{"udp", "tcp"}[i/2%2], asks: labOften})
	}
	return append(list, labPhone{name: "amy@acme.example", transport: "udp", asks: labOften, late: true})
}()

func labDesk(i int) string { return fmt.Sprintf("desk%02d", i+1) }

// labAoR is whose phone it is: adam-2 is adam's second one.
func labAoR(name string) string {
	user, domain, _ := strings.Cut(name, "@")
	user, _, _ = strings.Cut(user, "-")
	return user + "@" + domain
}

// labAccounts are the subscribers that both platforms know.
func labAccounts() []lab.Account {
	var list []lab.Account
	for _, p := range labPhones {
		list = append(list, lab.Account{AoR: labAoR(p.name), Password: labPassword})
	}
	return list
}

// makePhones makes every phone, by turns at one edge and the other, and the lamps on them.
func (w *labWorld) makePhones(log *slog.Logger) (err error) {
	if w.nat, err = lab.NewNAT(lab.NATOptions{IP: labNATIP, Idle: labNATIdle, Outbound: true}); err != nil {
		return err
	}
	for i, p := range labPhones {
		p.edge = w.edges[i%len(w.edges)]
		o := lab.PhoneOptions{AOR: labAoR(p.name), Password: labPassword, Proxy: p.edge.Outside, Transport: p.transport, RingsFor: p.rings, Log: log}
		if p.boxed {
			o.NAT = w.nat
		}
		if p.Phone, err = lab.NewPhone(o); err != nil {
			return err
		}
		p.name, _, _ = strings.Cut(p.name, "@")
		w.phones[p.name] = &p
	}
	return errors.Join(w.addLamp("anna", "alice"), w.addLamp("adam", "anna"))
}

// of returns the phones of a domain, by name; all of them without one.
func (w *labWorld) of(domain string) []*labPhone {
	list := slices.SortedFunc(maps.Values(w.phones), func(a, b *labPhone) int { return cmp.Compare(a.name, b.name) })
	return slices.DeleteFunc(list, func(p *labPhone) bool { return domain != "" && p.domain() != domain })
}

// registered returns those phones of a domain that have registered, by name.
func (w *labWorld) registered(domain string) []*labPhone {
	return slices.DeleteFunc(w.of(domain), func(p *labPhone) bool { return p.Registrations() == 0 })
}

// user returns the phones of an address-of-record.
func (w *labWorld) user(aor string) []*labPhone {
	return slices.DeleteFunc(w.registered(""), func(p *labPhone) bool { return p.AOR() != aor })
}

// labLamp is a key on a phone that shows whether somebody is on the phone.
type labLamp struct {
	*lab.Lamp
	on    *labPhone
	whose string // address-of-record
}

func (w *labWorld) addLamp(on, whose string) error {
	p := w.phones[on]
	l, err := p.NewLamp(w.phones[whose].AOR(), labOften)
	w.lamps = append(w.lamps, &labLamp{Lamp: l, on: p, whose: w.phones[whose].AOR()})
	return err
}
