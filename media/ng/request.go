package ng

import (
	"slices"
	"time"
)

// Command is what a request asks for.
type Command string

// The commands.
const (
	Ping       Command = "ping"
	Offer      Command = "offer"
	Answer     Command = "answer"
	Delete     Command = "delete"
	Query      Command = "query"
	List       Command = "list"
	Statistics Command = "statistics"
)

// A Request is one command. What is zero was not said.
type Request struct {
	Command Command

	CallID    string // all but ping, list, statistics
	FromTag   string // offer, answer, delete: of the side that the SIP message's From names
	ToTag     string // answer
	ViaBranch string // of the SIP message at hand: Kamailio's delete has the BYE's, not the INVITE's
	Label     string // of the side that sent the SDP
	ToLabel   string
	SDP       string // offer, answer

	Flags Flags

	DeleteNow   bool          // delete: at once; else the server's own delay, unless DeleteDelay
	DeleteDelay time.Duration // delete: whole seconds
	Fatal       bool          // delete: an unknown call is an error
	Limit       int           // list: how many at most; 0: 32
	LoadLimit   bool          // offer: the client takes ErrLoadLimit for an answer of its own kind, not for an error
}

// missing is the reason to refuse a request that lacks a key, in the order in which rtpengine looks.
func (q *Request) missing() error {
	media := q.Command == Offer || q.Command == Answer
	switch {
	case media && q.SDP == "":
		return ErrNoSDP
	case q.CallID == "" && (media || q.Command == Delete || q.Command == Query):
		return ErrNoCallID
	case media && q.FromTag == "":
		return ErrNoFromTag
	case q.Command == Answer && q.ToTag == "":
		return ErrNoToTag
	}
	return nil
}

// readRequest reads a dictionary; its keys are changed.
func readRequest(d Dict) (q Request, err error) {
	d.hyphens()
	command, is := d["command"].(string)
	if !is {
		return q, ErrNoCommand
	}
	q = Request{
		Command:   Command(command),
		CallID:    d.str("call-id"),
		FromTag:   d.str("from-tag"),
		ToTag:     d.str("to-tag"),
		ViaBranch: d.str("via-branch"),
		Label:     d.str("label"),
		ToLabel:   d.str("to-label"),
		SDP:       d.str("sdp"),
		LoadLimit: slices.Contains(d.strs("supports"), string(ErrLoadLimit)),
	}
	if limit, given := d.number("limit"); given {
		q.Limit = int(min(max(limit, 0), maxElements))
	}
	if q.Label == "" {
		q.Label = d.str("from-label")
	}
	if delay, given := d.number("delete-delay"); given {
		q.DeleteNow = delay <= 0
		q.DeleteDelay = time.Duration(min(max(delay, 0), 86400)) * time.Second
	}
	q.Flags.read(d, &q.Fatal)
	switch q.Command {
	case Ping, Offer, Answer, Delete, Query, List, Statistics:
		return q, q.missing()
	}
	return q, ErrCommand
}

// dict is q as it is sent.
func (q *Request) dict() Dict {
	d := Dict{"command": string(q.Command)}
	d.setStr("call-id", q.CallID)
	d.setStr("from-tag", q.FromTag)
	d.setStr("to-tag", q.ToTag)
	d.setStr("via-branch", q.ViaBranch)
	d.setStr("label", q.Label)
	d.setStr("to-label", q.ToLabel)
	d.setStr("sdp", q.SDP)
	if q.Limit > 0 {
		d["limit"] = int64(q.Limit)
	}
	switch {
	case q.DeleteNow:
		d["delete-delay"] = int64(0)
	case q.DeleteDelay > 0:
		d["delete-delay"] = int64((q.DeleteDelay + time.Second - 1) / time.Second)
	}
	if q.LoadLimit {
		d["supports"] = []any{string(ErrLoadLimit)}
	}
	q.Flags.write(d, q.Fatal)
	return d
}
