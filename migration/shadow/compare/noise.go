package compare

// Noise is the verdict of the sequential test on legacy's own variation.
type Noise string

// A field is undecided, and counts as a difference, until the evidence is in.
const (
	Undecided Noise = "undecided"
	IsNoise   Noise = "noise"
	IsReal    Noise = "real"
)
