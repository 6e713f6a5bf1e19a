package compare

// TimePair is one time of one outcome class on both sides.
type TimePair struct {
	Build  string       `json:"build"`
	Name   string       `json:"name"`
	Class  string       `json:"class"`
	Live   Distribution `json:"live"`
	Shadow Distribution `json:"shadow"`
}

// Distribution is counts per fixed logarithmic bucket (bucketOf), sparse.
type Distribution map[int]uint64
