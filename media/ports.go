package media

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

// ErrPorts says that every pair of ports of an address is in use.
var ErrPorts = errors.New("media: no free ports")

// restTime is how long a closed pair is left alone: a phone that missed the BYE still sends to it, and would be heard
// in the next call.
const restTime = 30 * time.Second

// PortRange is where a relay's ports come from, both ends included.
type PortRange struct{ Lo, Hi uint16 }

// pairs lists how many pairs of an even port and the next one there are.
func (r PortRange) pairs() int {
	lo := (int(r.Lo) + 1) &^ 1
	return max(0, (int(r.Hi)-lo+1)/2)
}

func (r PortRange) check() error {
	if r.Lo < 1024 || r.pairs() < 2 {
		return fmt.Errorf("media: ports %d-%d hold no two pairs above 1023", r.Lo, r.Hi)
	}
	return nil
}

// portPool hands out the pairs of one address: at random, so that nobody guesses the next call's, and after a rest.
type portPool struct {
	addr netip.Addr
	base uint16 // first even port

	mu     sync.Mutex
	free   []uint16  // pairs, unordered
	place  []int32   // of each pair in free, or -1
	used   []bool    // by pair
	rests  []resting // ring, oldest first
	oldest int       // index into rests
	nrests int       // in rests
	early  uint64    // pairs that were taken before their rest was over
}

type resting struct {
	pair  uint16
	until time.Duration
}

func newPortPool(addr netip.Addr, r PortRange) *portPool {
	n := r.pairs()
	p := &portPool{
		addr: addr, base: (r.Lo + 1) &^ 1,
		free: make([]uint16, n), place: make([]int32, n), used: make([]bool, n), rests: make([]resting, n),
	}
	for i := range n {
		p.free[i], p.place[i] = uint16(i), int32(i)
	}
	return p
}

// take returns the even port of a free pair.
func (p *portPool) take(now time.Duration) (uint16, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.nrests > 0 && p.rests[p.oldest].until <= now {
		p.rested()
	}
	if len(p.free) == 0 && p.nrests > 0 {
		p.rested()
		p.early++
	}
	if len(p.free) == 0 {
		return 0, fmt.Errorf("%w: all %d pairs of %v are in use", ErrPorts, len(p.used), p.addr)
	}
	pair := p.free[rand.IntN(len(p.free))]
	p.remove(pair)
	p.used[pair] = true
	return p.base + 2*pair, nil
}

// claim takes a certain pair, whatever rests; false if it is in use or not ours.
func (p *portPool) claim(port uint16) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	pair, ok := p.pair(port)
	if !ok || p.place[pair] < 0 {
		return false
	}
	p.remove(pair)
	p.used[pair] = true
	return true
}

// put lays a pair to rest.
func (p *portPool) put(port uint16, now time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pair, ok := p.pair(port)
	if !ok || !p.used[pair] {
		return
	}
	p.used[pair] = false
	p.rests[(p.oldest+p.nrests)%len(p.rests)] = resting{pair, now + restTime}
	p.nrests++
}

// inUse says whether a port belongs to a living session.
func (p *portPool) inUse(port uint16) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	pair, ok := p.pair(port &^ 1)
	return ok && p.used[pair]
}

// figures are the pairs free (rested), resting and taken early.
func (p *portPool) figures() (free, resting int, early uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.free), p.nrests, p.early
}

func (p *portPool) pair(port uint16) (uint16, bool) {
	if port < p.base || port&1 != 0 || int(port-p.base)/2 >= len(p.used) {
		return 0, false
	}
	return (port - p.base) / 2, true
}

// rested moves the pair that rests longest to the free ones.
func (p *portPool) rested() {
	pair := p.rests[p.oldest].pair
	p.oldest = (p.oldest + 1) % len(p.rests)
	p.nrests--
	p.place[pair] = int32(len(p.free))
	p.free = append(p.free, pair)
}

func (p *portPool) remove(pair uint16) {
	i, last := p.place[pair], p.free[len(p.free)-1]
	p.free[i], p.place[last] = last, i
	p.free, p.place[pair] = p.free[:len(p.free)-1], -1
}
