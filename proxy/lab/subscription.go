package lab

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Bounds of a switch's subscriptions.
const (
	switchSubscriptions = 1024
	subscriptionSweep   = 100 * time.Millisecond // how often expired ones are looked for
)

// Subscription is one watcher of a busy lamp, as a switch holds it.
type Subscription struct {
	AoR     string // who is watched
	Watcher string
	CallID  string
	Expires time.Time
}

// subscription is the notifier's end of a dialog that SUBSCRIBE made (RFC 6665 section 4.2).
type subscription struct {
	key, watcher string
	tag          string // ours
	dialog       *dialog

	mu      sync.Mutex // guards what follows
	seen    uint32     // CSeq of the last SUBSCRIBE
	expires time.Time
	over    string // reason of termination; empty while it lives
	version int
	dirty   bool // there is something to tell
	telling bool // somebody is telling it: NOTIFYs go one after the other
}

// notifier is a switch's subscriptions.
type notifier struct {
	mu   sync.Mutex // guards subs
	subs map[string]*subscription
}

func (n *notifier) find(id string) *subscription {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.subs[id]
}

func (n *notifier) add(id string, sub *subscription) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.subs) >= switchSubscriptions {
		return false
	}
	n.subs[id] = sub
	return true
}

func (n *notifier) remove(sub *subscription) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.subs, sub.dialog.callID+sub.tag)
}

func (n *notifier) all() []*subscription {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := make([]*subscription, 0, len(n.subs))
	for _, sub := range n.subs {
		list = append(list, sub)
	}
	return list
}

// Subscriptions is what the switch holds, by watcher and watched.
func (s *Switch) Subscriptions() []Subscription {
	var list []Subscription
	for _, sub := range s.notifier.all() {
		sub.mu.Lock()
		if sub.over == "" {
			list = append(list, Subscription{AoR: sub.key, Watcher: sub.watcher, CallID: sub.dialog.callID, Expires: sub.expires})
		}
		sub.mu.Unlock()
	}
	slices.SortFunc(list, func(a, b Subscription) int {
		return cmp.Or(cmp.Compare(a.Watcher, b.Watcher), cmp.Compare(a.AoR, b.AoR), cmp.Compare(a.CallID, b.CallID))
	})
	return list
}

// onSubscribe makes, refreshes or ends a subscription to the calls of an account.
func (s *Switch) onSubscribe(ctx context.Context, req *sip.Request, tx sip.ServerTransaction) {
	s.hear(req)
	if h := req.GetHeader("Event"); h == nil || h.Value() != "dialog" {
		s.respond(req, tx, "", 489, "Bad Event", nil, append(s.identity(), sip.NewHeader("Allow-Events", "dialog"))...)
		return
	}
	d := s.maxExpires
	if h := req.GetHeader("Expires"); h != nil {
		var ok bool
		if d, ok = expiry(h.Value()); !ok {
			s.refuse(req, tx, 400, "Bad Expires")
			return
		}
		d = min(d, s.maxExpires)
	}
	var sub *subscription
	if tag, within := req.To().Params.Get("tag"); within {
		if sub = s.notifier.find(req.CallID().Value() + tag); sub == nil || sub.ended() {
			s.refuse(req, tx, 481, "Subscription Does Not Exist")
			return
		}
		if !sub.follows(req.CSeq().SeqNo) {
			s.refuse(req, tx, 500, "CSeq Out Of Order")
			return
		}
	} else if sub = s.subscribe(req, tx); sub == nil {
		return
	}
	sub.mu.Lock()
	sub.expires = s.guard.now().Add(d)
	if d == 0 {
		sub.over = "timeout"
	}
	sub.mu.Unlock()
	self := s.contact(req.To().Address.User, req.Transport())
	s.respond(req, tx, sub.tag, 200, "OK", nil, append(s.identity(), contactHeader(self), sip.NewHeader("Expires", seconds(d)))...)
	s.tell(ctx, sub)
}

// subscribe makes a new subscription, or answers why not.
func (s *Switch) subscribe(req *sip.Request, tx sip.ServerTransaction) *subscription {
	watcher, key := keyOf(req.From().Address), keyOf(req.Recipient)
	if s.challengeCalls && s.admit(req, tx, watcher) == "" {
		return nil
	}
	if _, known := s.guard.account(key); !known && s.guard.accounts != nil {
		s.refuse(req, tx, 404, "Not Found")
		return nil
	}
	tag := sip.GenerateTagN(12)
	sub := &subscription{
		key: key, watcher: watcher, tag: tag, seen: req.CSeq().SeqNo,
		dialog: calleeDialog(req, tag, s.contact(req.To().Address.User, req.Transport())),
	}
	if !s.notifier.add(sub.dialog.callID+tag, sub) {
		s.refuse(req, tx, 503, "Service Unavailable")
		return nil
	}
	return sub
}

// follows notes the CSeq of a refresh (RFC 3261 section 12.2.2).
func (sub *subscription) follows(cseq uint32) bool {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	if cseq <= sub.seen {
		return false
	}
	sub.seen = cseq
	return true
}

func (sub *subscription) ended() bool {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	return sub.over != ""
}

// changed tells every watcher of an address-of-record.
func (s *Switch) changed(ctx context.Context, key string) {
	for _, sub := range s.notifier.all() {
		if sub.key == key {
			s.tell(ctx, sub)
		}
	}
}

// sweep ends what has expired.
func (s *Switch) sweep(ctx context.Context, now time.Time) {
	for _, sub := range s.notifier.all() {
		sub.mu.Lock()
		late := sub.over == "" && !sub.expires.After(now)
		if late {
			sub.over = "timeout"
		}
		sub.mu.Unlock()
		if late {
			s.tell(ctx, sub)
		}
	}
}

// tell sends a NOTIFY with the state of now, after the one that is under way.
func (s *Switch) tell(ctx context.Context, sub *subscription) {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	sub.dirty = true
	if !sub.telling {
		sub.telling = true
		go s.tellAll(ctx, sub)
	}
}

func (s *Switch) tellAll(ctx context.Context, sub *subscription) {
	for {
		sub.mu.Lock()
		if !sub.dirty || ctx.Err() != nil {
			sub.telling = false
			sub.mu.Unlock()
			return
		}
		sub.dirty = false
		state := "active;expires=" + seconds(sub.expires.Sub(s.guard.now()))
		over := sub.over
		if over != "" {
			state = "terminated;reason=" + over
		}
		version := sub.version
		sub.version++
		sub.mu.Unlock()

		req := sub.dialog.request(sip.NOTIFY)
		req.AppendHeader(sip.NewHeader("Event", "dialog"))
		req.AppendHeader(sip.NewHeader("Subscription-State", state))
		req.AppendHeader(sip.NewHeader("Content-Type", "application/dialog-info+xml"))
		for _, h := range s.identity() {
			req.AppendHeader(h)
		}
		req.SetBody(s.presence.of(sub.key, version).body())
		res, err := s.ask(ctx, req)
		if err != nil || !res.IsSuccess() || over != "" { // RFC 6665 section 4.2.2
			s.notifier.remove(sub)
			if err != nil && ctx.Err() == nil {
				s.log.Info("a subscription ended: its NOTIFY had no answer", "watcher", sub.watcher, "error", err)
			}
			sub.mu.Lock()
			sub.over, sub.telling = cmp.Or(sub.over, "noresource"), false
			sub.mu.Unlock()
			return
		}
	}
}
