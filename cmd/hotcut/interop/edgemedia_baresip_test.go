//go:build interop

package interop

import (
	enc "encoding/binary" // binary is the program under test
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/hotcut/hotcut/proxy/admin"
	"github.com/hotcut/hotcut/proxy/callrecord"
)

// singing are the lines by which baresip sends a tone and writes down what it hears.
func singing(hertz int) []string {
	return []string{
		"module ausine.so", "module aubridge.so", "module sndfile.so", "snd_path FOLDER", "audio_player aubridge,nowhere",
		fmt.Sprintf("audio_source ausine,%d", hertz), "ausrc_srate 48000", "ausrc_channels 2", // which is all that ausine can do
	}
}

// heard are the samples that baresip has decoded in its one call, 8,000 a second.
func (b *baresip) heard() []float64 {
	b.t.Helper()
	files, _ := filepath.Glob(filepath.Join(b.dir, "dump-*-dec.wav"))
	if len(files) != 1 {
		b.t.Fatalf("baresip of %s has written %v", b.user, files)
	}
	wav, err := os.ReadFile(files[0])
	if err != nil {
		b.t.Fatal(err)
	}
	const header = 44
	if len(wav) < header || enc.LittleEndian.Uint16(wav[22:]) != 1 || enc.LittleEndian.Uint32(wav[24:]) != 8000 || enc.LittleEndian.Uint16(wav[34:]) != 16 {
		b.t.Fatalf("baresip of %s has written %d bytes, not of 16 bits, 8 kHz, one channel", b.user, len(wav))
	}
	samples := make([]float64, (len(wav)-header)/2)
	for i := range samples {
		samples[i] = float64(int16(enc.LittleEndian.Uint16(wav[header+2*i:])))
	}
	return samples
}

// share is how much of the power of a sound is in one tone (Goertzel's filter): 1 for nothing but that tone.
func share(samples []float64, hertz float64) float64 {
	w := 2 * math.Cos(2*math.Pi*hertz/8000)
	var s1, s2, power float64
	for _, x := range samples {
		s1, s2 = x+w*s1-s2, s1
		power += x * x
	}
	if power == 0 {
		return 0
	}
	return 2 * (s1*s1 + s2*s2 - w*s1*s2) / (power * float64(len(samples)))
}

// Two baresips talk through an edge, with Kamailio as the platform, and the tenant is moved meanwhile. Kamailio is a proxy, so
// the call crosses the edge twice and is relayed twice. By TCP, baresip's connections come from another address than its
// SDP names, and so does its audio: that is the one case in which a relay may not believe SDP.
func TestBaresipTalksThroughFlip(t *testing.T) {
	by := reaches[0]
	own := freeAddrs(t, 1)
	all := slices.Concat(by.defines, []string{trust(own)})
	w := &world{legacy: startPlatform(t, "legacy", all...), core: startPlatform(t, "core", all...), own: own}
	w.rig = newRigFor(t, site{legacy: []string{w.legacy.addr}, core: []string{w.core.addr}, edges: 1, own: own, legacyHow: by.how, coreHow: by.how, relays: true})
	e := w.edges[0]
	const low, high = 440, 1000
	callee := startBaresip(t, e.outside, "tcp", "bob", 300, "auto", singing(low)...)
	caller := startBaresip(t, e.outside, "tcp", "alice", 300, "auto", singing(high)...)
	w.known(w.legacy, "bob", 1)
	w.known(w.legacy, "alice", 1)

	caller.command("dial", bob)
	await(t, 10*time.Second, "baresip to talk", func() bool {
		return caller.count("CALL_ESTABLISHED", "") == 1 && callee.count("CALL_ESTABLISHED", "") == 1
	})
	var live []admin.Call
	talked := func(packets uint64) func() bool {
		return func() bool {
			var err error
			live, err = e.client.Calls(t.Context(), "", 10)
			return err == nil && len(live) > 0 && live[0].Media != nil && live[0].Media.Outside.Packets >= packets && live[0].Media.Inside.Packets >= packets
		}
	}
	await(t, 20*time.Second, "two seconds of audio both ways", talked(100))
	w.flip("bob", 1)
	await(t, 20*time.Second, "two seconds more", talked(live[0].Media.Outside.Packets+100))
	caller.command("hangup", "")
	await(t, 10*time.Second, "the call to end", func() bool { return callee.count("CALL_CLOSED", "") == 1 })

	passes := map[string]*callrecord.Media{}
	await(t, 10*time.Second, "the records of both times that the call crossed", func() bool {
		for _, rec := range e.log() {
			if rec.CallID == live[0].CallID && rec.End != 0 && rec.Media != nil {
				passes[rec.Source] = rec.Media
			}
		}
		return len(passes) == 2
	})
	for source, m := range passes {
		for side, x := range map[string]callrecord.MediaLeg{"outside": m.Outside, "inside": m.Inside} {
			if x.Packets < 200 || x.Lost != 0 || x.Codec != "PCMU" || x.MOS < 3 {
				t.Errorf("call from %s, from %s: %+v", source, side, x)
			}
		}
		if len(m.Events) > 0 {
			t.Errorf("call from %s: %v", source, m.Events)
		}
	}

	for who, own := range map[*baresip]float64{caller: high, callee: low} {
		other := float64(low + high - own)
		sound := who.heard()
		if len(sound) < 3*8000 {
			t.Errorf("%s heard %.1f s", who.user, float64(len(sound))/8000)
			continue
		}
		sound = sound[8000 : len(sound)-4000] // in the middle: before, its jitter buffer fills
		best := 0.0
		for ; len(sound) >= 8000; sound = sound[4000:] { // a late packet breaks the tone's phase
			best = max(best, share(sound[:8000], other))
			if s := share(sound[:8000], own); s > 0.01 {
				t.Errorf("%s hears itself: %.3f", who.user, s)
			}
		}
		t.Logf("%s: %.3f of the power of what it heard is the other's tone", who.user, best)
		if best < 0.9 {
			t.Errorf("%s heard something else than the other's tone: %.3f", who.user, best)
		}
	}
}
