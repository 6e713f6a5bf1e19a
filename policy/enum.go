package policy

import (
	"fmt"
	"slices"
	"strings"
)

// The words of every enumeration, indexed by value. The same words stand in JSON, metrics, logs and flags.
var (
	platformWords  = []string{"none", "legacy", "core"}
	stageWords     = []string{"legacy", "shadow", "canary", "core", "done"}
	directionWords = []string{"any", "outbound", "inbound", "internal"}
	reasonWords    = []string{
		"none", "dialog_pin", "node_override", "global_halt", "emergency", "rolled_back", "assigned", "rule",
		"bucket", "stage", "default", "no_tenant", "bad_unit", "target_unhealthy", "fallback", "challenge",
	}
	motionWords = []string{"still", "towards-legacy", "towards-core", "both"}
)

func word(words []string, kind string, v uint8) string {
	if int(v) < len(words) {
		return words[v]
	}
	return fmt.Sprintf("%s(%d)", kind, v)
}

func wordText(words []string, kind string, v uint8) ([]byte, error) {
	if int(v) >= len(words) {
		return nil, fmt.Errorf("%s %d has no name", kind, v)
	}
	return []byte(words[v]), nil
}

func parseWord(words []string, kind string, text []byte) (uint8, error) {
	if i := slices.Index(words, string(text)); i >= 0 {
		return uint8(i), nil
	}
	if len(text) > 64 {
		text = append(text[:64:64], "..."...)
	}
	return 0, fmt.Errorf("unknown %s %q: it is one of %s", kind, text, strings.Join(words, ", "))
}

// String returns "legacy", "core" or "none".
func (p Platform) String() string { return word(platformWords, "platform", uint8(p)) }

// MarshalText fails for a value that has no name.
func (p Platform) MarshalText() ([]byte, error) {
	return wordText(platformWords, "platform", uint8(p))
}

// UnmarshalText refuses an unknown word by name.
func (p *Platform) UnmarshalText(b []byte) error {
	v, err := parseWord(platformWords, "platform", b)
	if err == nil {
		*p = Platform(v)
	}
	return err
}

// Other returns the platform on the other side, and NoPlatform for NoPlatform.
func (p Platform) Other() Platform {
	switch p {
	case Legacy:
		return Core
	case Core:
		return Legacy
	}
	return NoPlatform
}

// String returns "legacy", "shadow", "canary", "core" or "done".
func (s Stage) String() string { return word(stageWords, "stage", uint8(s)) }

// MarshalText fails for a value that has no name.
func (s Stage) MarshalText() ([]byte, error) { return wordText(stageWords, "stage", uint8(s)) }

// UnmarshalText refuses an unknown word by name.
func (s *Stage) UnmarshalText(b []byte) error {
	v, err := parseWord(stageWords, "stage", b)
	if err == nil {
		*s = Stage(v)
	}
	return err
}

// String returns "any", "outbound", "inbound" or "internal".
func (d Direction) String() string { return word(directionWords, "direction", uint8(d)) }

// MarshalText fails for a value that has no name.
func (d Direction) MarshalText() ([]byte, error) {
	return wordText(directionWords, "direction", uint8(d))
}

// UnmarshalText refuses an unknown word by name.
func (d *Direction) UnmarshalText(b []byte) error {
	v, err := parseWord(directionWords, "direction", b)
	if err == nil {
		*d = Direction(v)
	}
	return err
}

// String returns the reason's one name: metric label, log value and line of documentation.
func (r Reason) String() string { return word(reasonWords, "reason", uint8(r)) }

// MarshalText fails for a value that has no name.
func (r Reason) MarshalText() ([]byte, error) { return wordText(reasonWords, "reason", uint8(r)) }

// UnmarshalText refuses an unknown word by name.
func (r *Reason) UnmarshalText(b []byte) error {
	v, err := parseWord(reasonWords, "reason", b)
	if err == nil {
		*r = Reason(v)
	}
	return err
}

// String returns "still", "towards-legacy", "towards-core" or "both".
func (m Motion) String() string { return word(motionWords, "motion", uint8(m)) }

// MarshalText fails for a value that has no name.
func (m Motion) MarshalText() ([]byte, error) { return wordText(motionWords, "motion", uint8(m)) }

// UnmarshalText refuses an unknown word by name.
func (m *Motion) UnmarshalText(b []byte) error {
	v, err := parseWord(motionWords, "motion", b)
	if err == nil {
		*m = Motion(v)
	}
	return err
}
