//go:build interop

package interop

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// killPoints are all places between two messages of a call. A call is brought to the last step that the edge has surely
// passed (held), waits until it was (there), and then takes one more step at the moment of the kill (race): the message may
// die in the sender's socket, in the edge's, or in the edge, or may have just left it.
var killPoints = []struct {
	name  string
	held  int
	there func(*killCall) bool
	race  int
}{
	{"before the INVITE", mayNothing, func(*killCall) bool { return true }, mayNothing},
	{"with the INVITE", mayNothing, func(*killCall) bool { return true }, mayInvite},
	{"after the INVITE", mayInvite, func(c *killCall) bool { return c.invite != nil }, mayNothing},
	{"with the 180", mayInvite, func(c *killCall) bool { return c.invite != nil }, mayRing},
	{"after the 180", mayRing, func(c *killCall) bool { return c.rung }, mayNothing},
	{"with the 200", mayRing, func(c *killCall) bool { return c.rung }, mayAnswer},
	{"with 180 and 200", mayInvite, func(c *killCall) bool { return c.invite != nil }, mayAnswer},
	{"after the 200", mayAnswer, func(c *killCall) bool { return c.ok != nil }, mayNothing},
	{"with the ACK", mayAnswer, func(c *killCall) bool { return c.ok != nil }, mayAcknowledge},
	{"after the ACK", mayAcknowledge, func(c *killCall) bool { return c.acked }, mayNothing},
	{"with the BYE", mayAcknowledge, func(c *killCall) bool { return c.acked }, mayHangUp},
	{"after the BYE", mayHangUp, func(c *killCall) bool { return c.bye != nil }, mayNothing},
	{"with the 200 to BYE", mayHangUp, func(c *killCall) bool { return c.bye != nil }, mayConfirm},
	{"after the end", mayConfirm, func(c *killCall) bool { return c.over }, mayNothing},
}

// TestKilledBetweenAnyTwoMessages kills the edge with SIGKILL again and again, each time with a call at every point, and
// starts it again at once; every few times the tenant has moved meanwhile. Every call completes through the new process, on
// the platform that it was on, and the callee sees one INVITE transaction and one BYE of each; the phone one dialog.
func TestKilledBetweenAnyTwoMessages(t *testing.T) {
	ends := newKillEnds(t)
	r := newRigFor(t, site{legacy: []string{ends.legacy.LocalAddr().String()}, core: []string{ends.core.LocalAddr().String()}, edges: 1})
	e := r.edges[0]
	ends.edge = e.outside
	longest, on := time.Duration(0), map[net.PacketConn]int{}
	for kill := range kills {
		calls := make([]*killCall, len(killPoints))
		for i, p := range killPoints {
			calls[i] = ends.call(fmt.Sprintf("k%dp%d", kill, i))
			calls[i].let(p.held)
		}
		await(t, 10*time.Second, "every call to be where it is to be killed", func() bool {
			for i, p := range killPoints {
				if !calls[i].reached(p.there) {
					return false
				}
			}
			return true
		})
		for i := range killPoints { // another one is nearest to the kill each time
			at := (i + kill) % len(killPoints)
			calls[at].let(killPoints[at].race)
		}
		began := time.Now()
		e.kill()
		if kill%5 == 4 {
			move := []string{"flip", "acme", "--to", "core", "--yes", "--wait", "1ms"}
			if kill%10 == 9 {
				move = []string{"rollback", "acme", "--yes", "--wait", "1ms"}
			}
			if code, _, errs := r.run(move...); code != 6 { // no edge has it: the only one is dead
				t.Errorf("%q: exit %d\n%s", move, code, errs)
			}
		}
		e.start()
		longest = max(longest, time.Since(began))
		for _, c := range calls {
			c.let(mayConfirm)
		}
		await(t, 30*time.Second, fmt.Sprintf("every call of kill %d to end", kill), func() bool {
			for i, c := range calls {
				if wrong := c.reached(func(c *killCall) bool { return len(c.wrong) > 0 }); wrong {
					t.Fatalf("kill %d %s: %q", kill, killPoints[i].name, c.wrong)
				}
				if !c.reached(func(c *killCall) bool { return c.over }) {
					return false
				}
			}
			return true
		})
		ends.mu.Lock()
		for i, c := range calls {
			if len(c.branches) != 1 || len(c.byeBranches) != 1 || len(c.tags) != 1 {
				t.Errorf("kill %d %s: the callee saw INVITE transactions %q and BYEs %q, the phone dialogs %q", kill, killPoints[i].name, c.branches, c.byeBranches, c.tags)
			}
			on[c.callee]++
			delete(ends.calls, c.id)
		}
		ends.mu.Unlock()
	}
	t.Logf("%d kills with %d calls each; the longest from kill to ready took %s", kills, len(killPoints), longest)
	if on[ends.legacy] == 0 || on[ends.core] == 0 {
		t.Errorf("%d calls on legacy, %d on core: the tenant did not move", on[ends.legacy], on[ends.core])
	}
	if longest > 5*time.Second {
		t.Logf("longer than the 5 s that the promise is for: this machine was busy")
	}
	log, err := os.ReadFile(filepath.Join(r.dir, e.name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(log), "panicked") {
		t.Error("a step of the edge panicked")
	}
}
