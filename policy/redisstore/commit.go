package redisstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hotcut/hotcut/policy"
)

// maxRebase bounds how often a change is rebased on a tip that keeps moving. A forced one is bounded by its context.
const maxRebase = 512

// errMoved: somebody committed between our look and our commit.
var errMoved = errors.New("the tip moved")

// Apply implements policy.Store. The change is validated here, against the policy that its commit expects; the script
// compares. A commit passes through these steps:
//  1. one question on the commit's connection: head, time, and whether the key has been seen
//  2. validate and seal: by the tenants it touches alone where they suffice, else by the whole policy
//  3. the script; then WAIT, on the same connection
//  4. in the background, a checkpoint if one is due
//
// If the tip moved between 1 and 3 it starts again.
func (s *Store) Apply(ctx context.Context, c policy.Change) (policy.Head, policy.Durability, error) {
	var none policy.Durability
	if err := ctx.Err(); err != nil {
		return policy.Head{}, none, err
	}
	if c.Kind == policy.KindResync {
		return policy.Head{}, none, errors.New("a resync is committed by Resync, not by Apply")
	}
	if c.Key == "" {
		c.Key = policy.MintKey()
	}
	s.commit.Lock()
	defer s.commit.Unlock()
	for try := 1; ; try++ {
		h, d, err := s.attempt(ctx, c)
		if !errors.Is(err, errMoved) {
			return h, d, err
		}
		if try >= maxRebase && !c.Force {
			return h, none, fmt.Errorf("%w: the policy moved %d times while this change was rebased", policy.ErrConflict, try)
		}
		select {
		case <-ctx.Done():
			return h, none, fmt.Errorf("not committed: %w", ctx.Err())
		case <-time.After(rand.N(time.Duration(min(try, 20)) * time.Millisecond)):
		}
	}
}

func (s *Store) attempt(ctx context.Context, c policy.Change) (policy.Head, policy.Durability, error) {
	var none policy.Durability
	conn, err := s.master(ctx)
	if err != nil {
		return policy.Head{}, none, s.fault(err)
	}
	defer conn.Close()
	look, err := s.look(ctx, conn, c.Key)
	if err != nil {
		return policy.Head{}, none, err
	}
	if look.seen != "" {
		return s.seen(ctx, look)
	}
	if err := s.admit(look, &c); err != nil {
		return look.head, none, err
	}
	step, err := s.seal(ctx, conn, look, c)
	if err != nil {
		return look.head, none, err
	}
	h, err := s.send(ctx, conn, look, step)
	if err != nil {
		return h, none, err
	}
	if step.next != nil {
		s.keepCache(step.next)
	}
	d := s.durability(ctx, conn)
	if h.Rev%s.every == 0 || step.large() || time.Since(s.lastDue) > time.Hour {
		s.lastDue = time.Now()
		s.checkpointing.Go(func() { s.maintain(h) })
	}
	return h, d, nil
}

// look is what a commit knows before it decides: all of one reply.
type look struct {
	empty   bool
	head    policy.Head
	globals string
	now     time.Time
	seen    string
}

func (s *Store) look(ctx context.Context, conn *redis.Conn, key string) (look, error) {
	p := conn.Pipeline()
	hv := p.HMGet(ctx, s.key.head(), append(headFields, "globals")...)
	now, seen := p.Time(ctx), p.Get(ctx, s.key.idem(key))
	if _, err := p.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return look{}, s.fault(err)
	}
	l := look{now: now.Val(), seen: seen.Val()}
	var err error
	l.head, err = s.parseHead(hv.Val())
	if errors.Is(err, policy.ErrNoPolicy) {
		l.empty = true
		return l, nil
	}
	l.globals, _ = hv.Val()[len(headFields)].(string)
	return l, err
}

// seen answers a key that has been committed before. Root and halt are known for the tip only.
func (s *Store) seen(ctx context.Context, l look) (policy.Head, policy.Durability, error) {
	rev, chain, err := parseIdem(l.seen)
	if err != nil {
		return policy.Head{}, policy.Durability{}, err
	}
	if rev == l.head.Rev {
		return l.head, policy.Durability{Note: "committed before"}, nil
	}
	return policy.Head{Epoch: l.head.Epoch, Rev: rev, Chain: chain}, policy.Durability{Note: "committed before"}, nil
}

// admit refuses what no content could make right.
func (s *Store) admit(l look, c *policy.Change) error {
	switch init := c.Kind == policy.KindInit; {
	case l.empty && !init:
		return s.noPolicy()
	case l.empty && c.Epoch == "":
		return fmt.Errorf("init names no epoch: %w", policy.ErrForked)
	case l.empty:
		return nil
	case init:
		return fmt.Errorf("the store holds a policy already, at rev %d: %w", l.head.Rev, policy.ErrConflict)
	case c.Epoch != l.head.Epoch:
		return fmt.Errorf("the change is of epoch %q, the store of %q: %w", c.Epoch, l.head.Epoch, policy.ErrForked)
	case c.Base > l.head.Rev:
		return fmt.Errorf("the change was made at rev %d, the store is at %d only: %w", c.Base, l.head.Rev, policy.ErrForked)
	}
	return nil
}

// sealed is a change ready to be sent.
type sealed struct {
	change  policy.Change
	head    policy.Head
	buckets map[int][]byte
	hashes  map[int][32]byte
	next    *policy.Snapshot // nil when only the touched tenants were read
}

func (z *sealed) large() bool { return len(z.change.Tenants) > pieceTenants }

func (s *Store) seal(ctx context.Context, conn *redis.Conn, l look, c policy.Change) (*sealed, error) {
	base := policy.Empty(c.Epoch)
	if !l.empty {
		s.mu.Lock()
		cached := s.cache
		s.mu.Unlock()
		if (cached == nil || cached.Epoch() != l.head.Epoch) && c.SuitsLight() {
			z, err := s.sealLight(ctx, conn, l, c)
			if !errors.Is(err, policy.ErrNeedsWhole) {
				return z, err
			}
		}
		var err error
		if base, err = s.at(ctx, l.head); err != nil {
			return nil, err
		}
		if base.Rev() != l.head.Rev {
			return nil, errMoved
		}
	}
	at := l.now
	change, next, err := base.Next(c, at)
	if err != nil {
		return nil, err
	}
	z := &sealed{change: change, head: next.Head(), next: next, buckets: map[int][]byte{}, hashes: map[int][32]byte{}}
	if !z.large() {
		for _, tc := range change.Tenants {
			i := policy.BucketOf(tc.ID)
			if _, ok := z.buckets[i]; !ok {
				z.buckets[i], z.hashes[i] = next.AppendBucket(nil, i), next.BucketHash(i)
			}
		}
	}
	return z, nil
}

// sealLight judges a change by the tenants it touches, their buckets and the hashes of all buckets.
func (s *Store) sealLight(ctx context.Context, conn *redis.Conn, l look, c policy.Change) (*sealed, error) {
	var ids []string
	for _, tc := range c.Tenants {
		ids = append(ids, tc.ID)
	}
	light, err := s.light(ctx, conn, l.head, l.globals, ids)
	if errors.Is(err, policy.ErrUnreachable) {
		return nil, err
	}
	if err != nil {
		// Somebody committed between the two reads, or an index is damaged: the log tells.
		return nil, policy.ErrNeedsWhole
	}
	if c.ReadGlobals && c.Base < l.head.Rev && s.globalsStood(ctx, l.head, c.Base) {
		light.Steady(c.Base)
	}
	step, err := light.Next(c, l.now)
	if err != nil {
		return nil, err
	}
	return &sealed{change: step.Change, head: step.Head, buckets: step.Buckets, hashes: step.Hashes}, nil
}

// maxStood is how many changes are read to see whether one of them touched the globals.
const maxStood = 64

// globalsStood asks the log whether the globals are those of rev. false: no, or it is not known.
func (s *Store) globalsStood(ctx context.Context, head policy.Head, rev uint64) bool {
	if head.Rev-rev > maxStood {
		return false
	}
	_, changes, err := s.since(ctx, rev, head.Rev)
	if err != nil || len(changes) == 0 || changes[len(changes)-1].Chain != head.Chain {
		return false
	}
	return !slices.ContainsFunc(changes, func(c policy.Change) bool { return c.Globals != nil || c.Kind == policy.KindResync })
}

// send runs the script. From the moment it is sent, an error that is no answer of Redis leaves the outcome unknown.
func (s *Store) send(ctx context.Context, conn *redis.Conn, l look, z *sealed) (policy.Head, error) {
	c := z.change
	keys := []string{s.key.log(), s.key.head(), s.key.tenants(), s.key.idem(c.Key), s.key.lease(), s.key.chains(), s.key.roots(),
		s.key.buckets(), s.key.pieces(), s.key.ckpts(), s.key.stagedTenants(c.Key), s.key.stagedBuckets(c.Key)}
	record, pieces, n := c, "", 0
	if z.large() {
		var err error
		if pieces, n, err = s.stagePieces(ctx, c.Key, c.Tenants); err == nil {
			err = s.stageContent(ctx, c.Key, z.next)
		}
		if err != nil {
			s.unstage(ctx, c.Key, n)
			return l.head, err
		}
		for i := range n {
			keys = append(keys, s.key.piece(c.Key, i))
		}
		record.Tenants = nil
	}
	args, err := s.arguments(l, z, &record, pieces)
	if err != nil {
		return l.head, err
	}
	status, value, err := s.evaluate(ctx, conn, commitScript, keys, args, c.Key)
	if err == nil && status == "ok" {
		if value != itoa(z.head.Rev) {
			return l.head, fmt.Errorf("%s: committed rev %d, the answer says %.30q: %w", s.addr, z.head.Rev, value, errNotOurs)
		}
		return z.head, nil
	}
	if z.large() && !errors.Is(err, policy.ErrUnknownOutcome) {
		s.unstage(ctx, c.Key, n)
	}
	if err != nil {
		return l.head, err
	}
	return l.head, s.refused(status, value)
}

// arguments of commitScript.
func (s *Store) arguments(l look, z *sealed, record *policy.Change, pieces string) ([]any, error) {
	body, err := record.Canonical()
	if err != nil {
		return nil, err
	}
	epoch, rev, chain := l.head.Epoch, itoa(l.head.Rev), l.head.Chain
	globals, auto := []byte(nil), ""
	if l.empty {
		epoch, rev, chain = "", "", ""
	}
	if record.Globals != nil || l.empty {
		g := policy.Empty("").Globals()
		if record.Globals != nil {
			g = *record.Globals.After
		}
		if globals, err = json.Marshal(g); err != nil {
			return nil, err
		}
	}
	if record.Kind == policy.KindAuto {
		auto = "1"
	}
	var roots []byte
	if l.empty || pieces != "" {
		roots = z.next.AppendBucketHashes(nil)
	}
	args := []any{s.ns, epoch, rev, chain, z.head.Epoch, itoa(z.head.Rev), z.head.Chain, z.head.Root, string(z.head.Halt),
		globals, body, auto, itoa(record.Fence), record.Key, pieces, roots, len(record.Tenants)}
	for _, tc := range record.Tenants {
		b := []byte(nil)
		if tc.After != nil {
			if b, err = tc.After.Canonical(); err != nil {
				return nil, err
			}
		}
		args = append(args, tc.ID, b)
	}
	args = append(args, len(z.buckets))
	for i, b := range z.buckets {
		sum := z.hashes[i]
		args = append(args, strconv.Itoa(i), b, sum[:])
	}
	return args, nil
}

// evaluate sends EVALSHA once, after SCRIPT LOAD if Redis does not know the script, and returns its status and value.
func (s *Store) evaluate(ctx context.Context, conn *redis.Conn, script *redis.Script, keys []string, args []any, key string) (status, value string, err error) {
	res, err := conn.EvalSha(ctx, script.Hash(), keys, args...).StringSlice()
	if err != nil && replied(err) && redis.HasErrorPrefix(err, "NOSCRIPT") {
		if err = script.Load(ctx, conn).Err(); err != nil {
			return "", "", s.fault(err)
		}
		res, err = conn.EvalSha(ctx, script.Hash(), keys, args...).StringSlice()
	}
	switch {
	case err != nil && replied(err):
		return "", "", s.fault(err)
	case err != nil:
		return "", "", fmt.Errorf("%s: %w (`hotcut history --key %s` tells): %w", s.addr, policy.ErrUnknownOutcome, key, err)
	case len(res) != 3 || res[1] != key:
		return "", "", fmt.Errorf("%s: %w: %w", s.addr, policy.ErrUnknownOutcome, errNotOurs)
	}
	return res[0], res[2], nil
}

// refused gives the script's refusals their meaning.
func (s *Store) refused(status, value string) error {
	switch status {
	case "moved", "seen", "unstaged":
		return errMoved // the next attempt sees the new tip, or the key
	case "exists":
		return fmt.Errorf("the store holds a policy already, at rev %.30s: %w", value, policy.ErrConflict)
	case "nopolicy":
		return s.noPolicy()
	case "forked":
		return fmt.Errorf("the store is of epoch %.40q now: %w", value, policy.ErrForked)
	case "used":
		return fmt.Errorf("the store is at rev %.30s: %w", value, policy.ErrConflict)
	case "fenced":
		return fmt.Errorf("the fence is %.30s now, another controller is at work: %w", value, policy.ErrConflict)
	}
	return fmt.Errorf("%s: commit answered %.40q: %w", s.addr, status, errNotOurs)
}

// durability asks how safe the commit on this connection is. Failing to learn that is no failure of the commit.
func (s *Store) durability(ctx context.Context, conn *redis.Conn) policy.Durability {
	role, err := conn.Do(ctx, "role").Slice()
	if err == nil && len(role) == 3 {
		if replicas, ok := role[2].([]any); ok && len(replicas) == 0 {
			return policy.Durability{Note: "no replicas"}
		}
	} else if err != nil && !replied(err) {
		return policy.Durability{Note: "replication unknown"}
	}
	n, err := conn.Wait(ctx, 1, 500*time.Millisecond).Result()
	switch {
	case err != nil:
		return policy.Durability{Note: "replication unknown"}
	case n == 0:
		return policy.Durability{Note: "not replicated within 500 ms"}
	}
	return policy.Durability{Replicas: int(n), Note: fmt.Sprintf("replicated to %d", n)}
}
