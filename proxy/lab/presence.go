package lab

import (
	"encoding/xml"
	"slices"
	"strings"
	"sync"
)

// presence is which account is party to which call: what lamps show.
type presence struct {
	notify func(key string) // called, without mu, with each address-of-record whose calls changed

	mu    sync.Mutex // guards calls
	calls map[string]*watchedCall
}

// watchedCall is a call between accounts. It is there from its INVITE on and counts once it rings.
type watchedCall struct {
	caller, callee string // aorKey
	state          string // "", stateEarly, stateConfirmed
}

// Dialog states (RFC 4235 section 3.7.1).
const (
	stateEarly     = "early"
	stateConfirmed = "confirmed"
)

func (p *presence) begin(id, caller, callee string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.calls) < switchCalls {
		p.calls[id] = &watchedCall{caller: caller, callee: callee}
	}
}

func (p *presence) rings(id string)    { p.set(id, stateEarly) }
func (p *presence) answered(id string) { p.set(id, stateConfirmed) }

func (p *presence) set(id, state string) {
	p.mu.Lock()
	c := p.calls[id]
	changed := c != nil && c.state != state
	if changed {
		c.state = state
	}
	p.mu.Unlock()
	if changed {
		p.notify(c.caller)
		p.notify(c.callee)
	}
}

func (p *presence) over(id string) {
	p.mu.Lock()
	c := p.calls[id]
	delete(p.calls, id)
	p.mu.Unlock()
	if c != nil && c.state != "" {
		p.notify(c.caller)
		p.notify(c.callee)
	}
}

// dialogInfo is the body of a NOTIFY for Event: dialog (RFC 4235 section 4).
type dialogInfo struct {
	XMLName xml.Name     `xml:"urn:ietf:params:xml:ns:dialog-info dialog-info"`
	Version int          `xml:"version,attr"`
	State   string       `xml:"state,attr"` // always "full" here
	Entity  string       `xml:"entity,attr"`
	Dialogs []dialogItem `xml:"dialog"`
}

type dialogItem struct {
	ID        string `xml:"id,attr"`
	CallID    string `xml:"call-id,attr"`
	Direction string `xml:"direction,attr"` // "initiator" or "recipient"
	State     string `xml:"state"`
}

// of is the state of all calls of an address-of-record.
func (p *presence) of(key string, version int) dialogInfo {
	info := dialogInfo{Version: version, State: "full", Entity: "sip:" + key}
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, c := range p.calls {
		for direction, party := range map[string]string{"initiator": c.caller, "recipient": c.callee} {
			if c.state != "" && party == key {
				info.Dialogs = append(info.Dialogs, dialogItem{ID: id + "-" + direction, CallID: id, Direction: direction, State: c.state})
			}
		}
	}
	slices.SortFunc(info.Dialogs, func(a, b dialogItem) int { return strings.Compare(a.ID, b.ID) })
	return info
}

func (d dialogInfo) body() []byte {
	b, err := xml.Marshal(d)
	if err != nil {
		panic(err) // strings and a number
	}
	return append([]byte(xml.Header), b...)
}

// LampState is what a busy lamp shows.
type LampState string

const (
	LampUnknown LampState = "unknown" // no subscription, or no word yet
	LampOff     LampState = "off"
	LampRinging LampState = "ringing"
	LampBusy    LampState = "busy"
)

// lamp is what a watcher makes of a state of all calls.
func (d dialogInfo) lamp() LampState {
	show := LampOff
	for _, i := range d.Dialogs {
		switch {
		case i.State == stateConfirmed || i.Direction == "initiator" && i.State == stateEarly:
			return LampBusy
		case i.State == stateEarly:
			show = LampRinging
		}
	}
	return show
}
