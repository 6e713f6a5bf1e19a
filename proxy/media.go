package proxy

import (
	"context"
	"encoding/binary"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/hotcut/hotcut/media"
	"github.com/hotcut/hotcut/media/relay"
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/callrecord"
	"github.com/hotcut/hotcut/proxy/choice"
	"github.com/hotcut/hotcut/proxy/config"
)

// What a call's session descriptions go through on their way across the edge:
//
//  1. a new INVITE from one side to the other is anchored, unless its tenant, trunk or carrier will not have it
//  2. what a party says of itself becomes what we say of it: our address, always the same, on the other leg
//  3. what can not be read in one way only is answered 488; a lack of ports costs the relay, never the call
//  4. when the dialog ends so does the session, and how it sounded goes into the call record
//
// The relay (media/relay) knows offers, answers and early dialogs. These files know who is outside and who is inside, and
// which dialog a message belongs to: mediarequest.go, mediaresponse.go, mediaend.go, mediareport.go. Where servers relay
// (media/remote), what a message says is asked of them, and the message waits: mediaplane.go, mediawait.go. The leg id that is
// sealed into the pin names the session on any message of the dialog, whatever this process remembers.
//
// Calls from platform to platform are not anchored, nor is what only passes on its way to the edge that owns a flow: that
// edge does it.

// openMedia makes the relay. Sessions of the process before this one have their ports again when it returns.
func (e *Edge) openMedia(res *config.MediaRelay) error {
	switch {
	case len(res.Servers) > 0:
		return e.openServers(res)
	case !res.Relays:
		return nil
	}
	engine, err := media.New(media.Options{
		Outside: res.Outside, Outside6: res.Outside6, Inside: res.Inside, Inside6: res.Inside6, Advertise: res.Advertise,
		Ports: media.PortRange{Lo: res.Low, Hi: res.High}, MediaNets: res.Nets, State: filepath.Join(e.cfg.State, "media"),
		OnEvent: e.mediaEvent,
	})
	if err != nil {
		return err
	}
	first := (int(res.Low) + 1) &^ 1
	e.media = &mediaPlane{engine: engine, relay: relay.New(relay.Options{Engine: engine}), pairs: (int(res.High) - first + 1) / 2}
	return nil
}

// restoreAnchors takes up the sessions that outlived the process before this one, after its dialogs.
func (e *Edge) restoreAnchors(now int64) {
	if e.media == nil || e.media.relay == nil {
		return // servers say what they know of a call when it is next spoken of
	}
	for _, k := range e.media.relay.Keys() {
		h := e.callHash([]byte(k.CallID))
		s := e.shardOf(h)
		s.mu.Lock()
		s.anchors[k] = &anchor{key: k, seen: now, open: true}
		for _, d := range s.dialogs {
			if d.callID == k.CallID && d.media == noMedia {
				d.media = k
			}
		}
		s.unlock(h)
	}
}

// runMedia relays until ctx ends, and looks for sessions that nobody ended.
func (e *Edge) runMedia(ctx context.Context) error {
	var sweeper sync.WaitGroup
	sweeper.Go(func() {
		tick := time.NewTicker(mediaSweep)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-tick.C:
				e.sweepMedia(now.UnixNano())
			}
		}
	})
	err := e.media.run(ctx)
	sweeper.Wait()
	return err
}

// closeMedia gives back what openMedia took if Run never was, and else waits for the last figures: their call records are
// not written yet.
func (e *Edge) closeMedia() {
	if e.media != nil {
		e.media.close()
		e.media.closing.Wait()
	}
}

// mediaLeg names the session of a new call. It follows from the INVITE alone: a repetition after a restart names the same.
func mediaLeg(key choice.Key) uint32 { return max(binary.BigEndian.Uint32(key[:]), 1) }

// mediaKey is the session's name in the relay.
func mediaKey(callID []byte, leg uint32) relay.Key {
	return relay.Key{CallID: string(callID), Leg: strconv.FormatUint(uint64(leg), 16)}
}

// noMedia is the key of what is not anchored.
var noMedia relay.Key

// anchor is what the shard knows of a session: one for each time that a call crosses the edge.
type anchor struct {
	key    relay.Key
	seen   int64              // unix ns of the newest description
	winner string             // To tag of the first 2xx: a BYE of another one ends nothing
	open   bool               // the relay has it
	unable bool               // it could not be relayed when it began: half of it would be worse than nothing
	record *callrecord.Record // of the call; nil after a restart
	events []string           // what the relay reported, oldest first
}

// mediaRules are the tenant's; an unknown one has none.
func mediaRules(p *policy.Snapshot, tenant string) policy.Media {
	if p != nil && tenant != "" {
		if r := p.Tenant(tenant); r != nil {
			return r.Tenant.Media
		}
	}
	return policy.Media{}
}
