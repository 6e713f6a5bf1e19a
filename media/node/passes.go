package node

import (
	"net/url"
	"slices"
	"time"

	"github.com/hotcut/hotcut/media"
	"github.com/hotcut/hotcut/media/ng"
	"github.com/hotcut/hotcut/media/relay"
)

// pass is one crossing of a call.
type pass struct {
	key    relay.Key
	caller media.Leg // the leg of the party that made the first offer
	tag    string    // its tag
	id     string    // via-branch or label of the first offer

	branch  string    // via-branch of the newest offer
	other   string    // tag of the other party, as far as it is known
	created time.Time // of the first offer, or of the process that took it up
	said    time.Time // of the newest command
	due     time.Time // to be ended then; zero: not
}

// legID is what names a pass in the journal: all that a process after this one needs to know of it.
func legID(caller media.Leg, tag, id string) string {
	return url.Values{"from": {caller.String()}, "tag": {tag}, "id": {id}}.Encode()
}

// takeUp makes a pass of a dialog that survived the process before this one.
func (n *Node) takeUp(k relay.Key) {
	v, err := url.ParseQuery(k.Leg)
	if err != nil {
		return // of something else than a node; it ends by silence in nobody's books, and with its ports
	}
	now := time.Now()
	p := &pass{key: k, tag: v.Get("tag"), id: v.Get("id"), branch: v.Get("id"), created: now, said: now}
	if v.Get("from") == media.Inside.String() {
		p.caller = media.Inside
	}
	n.calls[k.CallID] = append(n.calls[k.CallID], p)
}

// of is the pass that a command means; nil if there is none.
func (n *Node) of(q *ng.Request) *pass {
	list := n.matching(q)
	if len(list) == 0 {
		return nil
	}
	return list[len(list)-1]
}

// matching are the passes that a command can mean, oldest first: those of its tags and, if there are any, of them only
// those of its via-branch or label.
func (n *Node) matching(q *ng.Request) []*pass {
	var list, named []*pass
	for _, p := range n.calls[q.CallID] {
		if q.FromTag != "" && p.tag != q.FromTag && p.tag != q.ToTag {
			continue
		}
		list = append(list, p)
		if q.ViaBranch != "" && (p.id == q.ViaBranch || p.branch == q.ViaBranch) || q.ViaBranch == "" && q.Label != "" && p.id == q.Label {
			named = append(named, p)
		}
	}
	if len(named) > 0 {
		return named
	}
	return list
}

// opens: an offer that no pass is known for. Outside of a dialog (no To tag) another via-branch is another pass.
func (n *Node) opens(q *ng.Request) bool {
	p := n.of(q)
	switch {
	case p == nil:
		return true
	case q.ToTag != "":
		return false
	case q.ViaBranch != "":
		return p.id != q.ViaBranch && p.branch != q.ViaBranch
	}
	return false
}

// open makes the pass of a first offer.
func (n *Node) open(q *ng.Request) (*pass, error) {
	caller, err := n.callerLeg(q)
	if err != nil {
		return nil, err
	}
	id := q.ViaBranch
	if id == "" {
		id = q.Label
	}
	now := time.Now()
	return &pass{key: relay.Key{CallID: q.CallID, Leg: legID(caller, q.FromTag, id)}, caller: caller, tag: q.FromTag, id: id,
		branch: q.ViaBranch, created: now, said: now}, nil
}

// callerLeg is the side of the party that makes the first offer.
func (n *Node) callerLeg(q *ng.Request) (media.Leg, error) {
	d := q.Flags.Direction
	if d == [2]string{} {
		for _, p := range n.config.Media.MediaNets {
			if q.Flags.ReceivedFrom.IsValid() && p.Contains(q.Flags.ReceivedFrom) {
				return media.Inside, nil
			}
		}
		return media.Outside, nil
	}
	from, to := slices.Index(n.config.Names[:], d[0]), slices.Index(n.config.Names[:], d[1])
	switch {
	case from < 0 || to < 0:
		return 0, ng.Reason("Unknown interface in direction")
	case from == to:
		return 0, ng.Reason("Both directions name one interface")
	}
	return media.Leg(from), nil
}

// end ends a pass; false if it has ended.
func (n *Node) end(p *pass) bool {
	list := n.calls[p.key.CallID]
	i := slices.Index(list, p)
	if i < 0 {
		return false
	}
	if list = slices.Delete(slices.Clone(list), i, i+1); len(list) == 0 {
		delete(n.calls, p.key.CallID)
	} else {
		n.calls[p.key.CallID] = list
	}
	n.relay.Close(p.key, nil)
	return true
}

// all are the passes that live.
func (n *Node) all() (list []*pass) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, passes := range n.calls {
		list = append(list, passes...)
	}
	return list
}
