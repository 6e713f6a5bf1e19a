package proxy

import (
	"fmt"
	"strings"

	"github.com/hotcut/hotcut/proxy/transaction"
)

// met counts what the runs of the simulator have met: every fault that it can make, everything that agents do, every state
// of the transaction machines. A run in which one of them stays at 0 proves less than it says, and fails.
type met struct {
	faults [faultKinds]int
	states [transaction.Client + 1][transaction.Terminated + 1]int
	causes [causes]int
}

type faultKind int

const (
	faultLost faultKind = iota
	faultRepeated
	faultLate
	faultDead
	faultPartitioned
	faultNoDial
	faultSplit
	faultReset
	faultHalfClose
	faultKilled
	faultRedisAway
	faultStaleDisk
	faultDrain
	policyFlip
	policyRollback
	policyHalt
	policyOverride
	policyHold
	policyRules
	policyCanary
	policyArmed
	policyDone
	phoneRegisters
	phoneChallenged
	phoneRefreshes
	phoneLeaves
	phoneRebinds
	phoneSecondDevice
	phoneCalled
	callAnswered
	callRefused
	callCancelled
	callEndedByCallee
	callEmergency
	callFailedOver
	callSessionTimer
	callPrack
	callUpdate
	callReinvite
	callRefer
	callInfo
	callMessage
	callSubscribe
	callNotify
	callOptions
	callPublish
	callReplaces
	wrongOldAnswer
	wrongLate2xx
	wrongStray2xx
	wrongCSeq
	wrongSecondBye
	wrongNoAck
	wrongMute
	wrongOtherAddress
	wrongForks
	wrongFinalAfterFinal
	wrongToken
	wrongGarbage
	wrongSpoofed
	wrongSpiral
	faultKinds
)

var faultWords = [faultKinds]string{
	"a datagram lost", "a datagram repeated", "a datagram late", "a datagram to nobody", "a partition", "a dial refused", "a message split", "a connection reset",
	"a half-closed connection", "kill -9", "Redis away", "a stale disk", "a drain",
	"a flip", "a rollback", "a halt", "an override", "a hold", "rules", "canary", "an armed tenant", "a tenant done",
	"REGISTER", "a challenge answered", "a refresh", "an un-REGISTER", "a NAT rebinding", "a second device", "a phone called",
	"an answered call", "a refused call", "a cancelled call", "BYE from the callee", "an emergency call", "a fail-over", "a session timer",
	"PRACK", "UPDATE", "re-INVITE", "REFER", "INFO", "MESSAGE", "SUBSCRIBE", "NOTIFY", "OPTIONS", "PUBLISH", "Replaces",
	"an old answer repeated", "a 2xx after CANCEL", "a 2xx to nobody", "a wrong CSeq", "a second BYE", "no ACK", "no answer", "an answer from another address",
	"several 2xx", "a final after a final", "a broken token", "garbage", "a spoofed source", "a spiral",
}

func (m *met) fault(k faultKind) { m.faults[k]++ }

func (m *met) add(o *met) {
	for i := range m.faults {
		m.faults[i] += o.faults[i]
	}
	for k := range m.states {
		for s := range m.states[k] {
			m.states[k][s] += o.states[k][s]
		}
	}
	for i := range m.causes {
		m.causes[i] += o.causes[i]
	}
}

// machineStates are those that a machine can be seen in between two steps.
var machineStates = map[transaction.Kind][]transaction.State{
	transaction.InviteServer: {transaction.Proceeding, transaction.Completed, transaction.Confirmed, transaction.Accepted},
	transaction.Server:       {transaction.Trying, transaction.Proceeding, transaction.Completed},
	transaction.InviteClient: {transaction.Calling, transaction.Proceeding, transaction.Completed, transaction.Accepted},
	transaction.Client:       {transaction.Trying, transaction.Proceeding, transaction.Completed},
}

// missing names what was never met.
func (m *met) missing() (list []string) {
	for i, n := range m.faults {
		if n == 0 {
			list = append(list, faultWords[i])
		}
	}
	for k, states := range machineStates {
		for _, s := range states {
			if m.states[k][s] == 0 {
				list = append(list, fmt.Sprint(k, " in ", s))
			}
		}
	}
	return list
}

func (m *met) String() string {
	var b strings.Builder
	for i, n := range m.faults {
		fmt.Fprintf(&b, "  %8d %s\n", n, faultWords[i])
	}
	for k := transaction.InviteServer; k <= transaction.Client; k++ {
		for _, s := range machineStates[k] {
			fmt.Fprintf(&b, "  %8d %v in %v\n", m.states[k][s], k, s)
		}
	}
	return b.String()
}

// looks notes the states of an edge's machines.
func (m *met) looks(e *Edge) {
	for i := range simShards {
		s := &e.shards[i]
		for _, r := range s.requests {
			m.states[r.server.Kind()][r.server.State()]++
		}
		for _, b := range s.branches {
			m.states[b.client.Kind()][b.client.State()]++
			if b.canceller != nil {
				m.states[b.canceller.client.Kind()][b.canceller.client.State()]++
			}
		}
	}
}
