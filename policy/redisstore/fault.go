package redisstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/hotcut/hotcut/policy"
)

// errNotOurs: a reply that does not answer what was asked. Two clients' replies were swapped, or the keys hold
// something else.
var errNotOurs = errors.New("the reply is not an answer to what was asked")

// away are replies of a Redis that is there and can not serve now.
var away = []string{"LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "MOVED", "ASK", "BUSY", "NOREPLICAS", "UNBLOCKED"}

// fault gives an error of the client its meaning: what Redis answered passes as it is, everything else is
// policy.ErrUnreachable.
func (s *Store) fault(err error) error {
	if err == nil || errors.Is(err, policy.ErrUnreachable) {
		return err
	}
	if replied(err) {
		for _, p := range away {
			if redis.HasErrorPrefix(err, p) {
				return fmt.Errorf("%s: %w: %w", s.addr, policy.ErrUnreachable, err)
			}
		}
		return fmt.Errorf("%s: %w", s.addr, err)
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%s: %w: %w", s.addr, policy.ErrUnreachable, err)
}

// replied: the error is an answer of Redis, so nothing is unknown about it.
func replied(err error) bool {
	_, ok := errors.AsType[redis.Error](err)
	return ok
}

func (s *Store) noPolicy() error {
	return fmt.Errorf("%s, namespace %s: %w (if edges still run one, `hotcut policy resync` brings it back)", s.addr, s.ns, policy.ErrNoPolicy)
}
