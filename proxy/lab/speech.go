package lab

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"strings"
)

// What the ends of a call say. Both payloads are 20 ms.
const (
	packetUnits  = 160 // of the RTP clock, 8,000 a second
	typePCMU     = 0
	typePCMA     = 8   // RFC 3551 table 4
	typeEvent    = 101 // telephone-event, as the lab's SDP maps it
	eventTone    = 5   // packets in which a key goes down and is held: 100 ms
	eventEnds    = 3   // packets that say that it is up (RFC 4733 section 2.5.1.4)
	eventPause   = 3   // packets of audio between two keys
	eventVolume  = 10  // dBm0, negative
	eventKeys    = "0123456789*#ABCD"
	eventsQueued = 64 // keys that wait to be pressed
)

// tongue is what one end of one call sounds like: noise that no other end of any call makes.
type tongue uint64

// tongues are those of the two ends of a call.
func tongues(callID string) (caller, callee tongue) {
	of := func(end string) tongue {
		h := fnv.New64a()
		h.Write([]byte(callID + "/" + end)) // never fails
		return tongue(h.Sum64())
	}
	return of("caller"), of("callee")
}

// audio is the payload of a sequence number. A relay that mixes up calls, directions or packets shows.
func (t tongue) audio(seq uint16) []byte {
	b := make([]byte, packetUnits)
	x := uint64(t) ^ uint64(seq)*0x9e3779b97f4a7c15
	for i := 0; i < len(b); i += 8 { // splitmix64
		x += 0x9e3779b97f4a7c15
		z := (x ^ x>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		binary.LittleEndian.PutUint64(b[i:], z^z>>31)
	}
	return b
}

// keyEvent is a key on its way: the same event in several packets, each saying how long it has been down.
type keyEvent struct {
	code  byte
	begin uint32 // timestamp of all its packets
	sent  int    // packets
}

// next is the payload of the event's next packet, and whether that was the last.
func (e *keyEvent) next() (payload []byte, over bool) {
	e.sent++
	held := min(e.sent, eventTone)
	b := []byte{e.code, eventVolume, 0, 0}
	if e.sent > eventTone {
		b[1] |= 0x80 // the end bit
	}
	binary.BigEndian.PutUint16(b[2:], uint16(held*packetUnits))
	return b, e.sent == eventTone+eventEnds
}

// readEvent is the key that an event payload says, and whether it is one.
func readEvent(b []byte) (key byte, ok bool) {
	if len(b) != 4 || int(b[0]) >= len(eventKeys) {
		return 0, false
	}
	return eventKeys[b[0]], true
}

// eventCodes are the events of some keys.
func eventCodes(keys string) ([]byte, error) {
	codes := make([]byte, 0, len(keys))
	for _, k := range keys {
		i := strings.IndexRune(eventKeys, k)
		if i < 0 {
			return nil, fmt.Errorf("lab: a phone has no key %q", k)
		}
		codes = append(codes, byte(i))
	}
	return codes, nil
}
