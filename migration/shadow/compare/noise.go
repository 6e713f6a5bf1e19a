package compare

import "math"

// Noise is the verdict of the sequential test on legacy's own variation.
type Noise string

// A field is undecided, and counts as a difference, until the evidence is in.
const (
	Undecided Noise = "undecided"
	IsNoise   Noise = "noise"
	IsReal    Noise = "real"
)

// The test of theta, the probability that it is the dark core that differs when exactly one of two pairs does: the core
// from legacy, or legacy from its own previous call of the same kind. A core that varies as legacy does has theta 0.5.
const (
	noiseBelow = 0.6 // noise: theta is shown to be below this
	realAbove  = 0.5 // real: theta is shown to be above this
	eNeeded    = 20  // an e-value of 20 is wrong at most once in 20 fields, however often one looks
)

// Judge is the verdict of two e-values. Both can be reached, when theta lies between the two limits: then the field is
// real, because a difference that is called noise is a difference that nobody looks at.
func (t *Triples) Judge() Noise {
	n := t.OnlyCore + t.OnlyLegacy
	if n < t.OnlyCore { // no count of ours
		return Undecided
	}
	switch need := math.Log(eNeeded); {
	case logE(realAbove, t.OnlyLegacy, n) >= need: // theta <= 0.5 is 1-theta >= 0.5
		return IsReal
	case logE(noiseBelow, t.OnlyCore, n) >= need:
		return IsNoise
	}
	return Undecided
}

// VariationKey of the triples of a scenario and field.
func VariationKey(scenario, field string) string { return scenario + "|" + field }
