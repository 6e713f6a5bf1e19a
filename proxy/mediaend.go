package proxy

import (
	"time"

	"github.com/hotcut/hotcut/media/relay"
	"github.com/hotcut/hotcut/proxy/callrecord"
)

const (
	mediaSweep  = 5 * time.Minute
	mediaSilent = int64(time.Hour) // without a packet or a description: nobody is there any more
)

// takeBack undoes what a request of a dialog has offered, for it was refused (RFC 3261 section 14.1, RFC 3311 section 5.2).
func (s *shard) takeBack(r *request) {
	if r.described && r.hop.inDialog {
		s.edge.media.failedFrom(r.media, r.who.leg())
	}
}

// endMedia ends the session of r, which has ended the call, and writes the record when its figures are there. rec may be
// nil.
func (s *shard) endMedia(r *request, rec *callrecord.Record) {
	var events []string
	if at := s.anchors[r.media]; at != nil {
		events = at.events
		delete(s.anchors, r.media)
	}
	if rec != nil {
		rec = clone(rec)
	}
	if r.media != noMedia && s.edge.closeSession(r.media, events, rec) || rec == nil {
		return
	}
	s.edge.records.Put(rec)
}

// closeSession gives a session's ports back; rec is written with its figures. false: there is none.
func (e *Edge) closeSession(k relay.Key, events []string, rec *callrecord.Record) bool {
	p := e.media
	p.closing.Add(1)
	ok := p.end(k, func(q *relay.Quality) {
		defer p.closing.Done()
		if q != nil {
			e.heard(q)
		}
		if rec != nil {
			if q != nil {
				rec.Media = mediaOf(q, events)
			}
			e.records.Put(rec)
		}
	})
	if !ok {
		p.closing.Done()
	}
	return ok
}

// passRecord is the record of the pass of a call that r belongs to; nil: it is not known.
func (s *shard) passRecord(r *request) *callrecord.Record {
	if at := s.anchors[r.media]; at != nil {
		return at.record
	}
	return nil
}

// loser: a BYE for a branch that lost the call to another one, which goes on.
func (s *shard) loser(r *request) bool {
	at := s.anchors[r.media]
	return at != nil && at.winner != "" && r.calledTag != "" && r.calledTag != at.winner
}

// sweepMedia ends what nobody has ended: a BYE that passed us by. A session is over when it has been silent for an hour
// and nobody has said anything of it either; a call that was only on hold gets a new one with its next description.
func (e *Edge) sweepMedia(now int64) {
	for i := range e.shards {
		s := &e.shards[i]
		var old []relay.Key
		s.mu.Lock()
		for k, at := range s.anchors {
			if now-at.seen >= mediaSilent {
				old = append(old, k)
			}
		}
		s.mu.Unlock()
		for _, k := range old {
			heard := e.lastHeard(k)
			s.mu.Lock()
			if at := s.anchors[k]; at != nil {
				if at.seen = max(at.seen, heard); now-at.seen >= mediaSilent {
					delete(s.anchors, k)
					if e.closeSession(k, at.events, lapsed(at)) {
						e.count.mediaExpired.Inc(0)
					}
				}
			}
			s.mu.Unlock()
		}
	}
}

// lapsed is the record of a call whose media ended without us: as far as it goes, in case no BYE ever comes.
func lapsed(at *anchor) *callrecord.Record {
	if at.record == nil {
		return nil
	}
	rec := clone(at.record)
	if rec.End == 0 {
		rec.End, rec.Cause = at.seen/1e6, "expired"
	}
	return rec
}

// lastHeard is when a session's newest packet came; unix ns. It waits for the engine's threads.
func (e *Edge) lastHeard(k relay.Key) (last int64) {
	q, _ := e.media.quality(k)
	for _, st := range q.Lines {
		for _, l := range st.Legs {
			if !l.In.Last.IsZero() {
				last = max(last, l.In.Last.UnixNano())
			}
		}
	}
	return last
}
