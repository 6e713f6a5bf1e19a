package compare

import "fmt"

// Severity says what a difference costs the customer.
type Severity uint8

// The words of the report, in rising order.
const (
	None     Severity = iota
	Intended          // waived by a named person, with a reason and an expiry date
	Minor             // cosmetic
	Major             // a feature is lost
	Critical          // the call fails, goes astray, has no audio, shows a wrong identity, an emergency, a wrong bill
)

// Severities are those that a rule may have, the worst first.
var Severities = [...]Severity{Critical, Major, Minor}

var severityNames = [...]string{"none", "intended", "minor", "major", "critical"}

func (s Severity) String() string {
	if int(s) < len(severityNames) {
		return severityNames[s]
	}
	return fmt.Sprintf("severity(%d)", uint8(s))
}

// MarshalText makes JSON say "critical", also as a key.
func (s Severity) MarshalText() ([]byte, error) {
	if int(s) >= len(severityNames) {
		return nil, fmt.Errorf("severity %d is none of ours", uint8(s))
	}
	return []byte(severityNames[s]), nil
}

// UnmarshalText reads what MarshalText wrote.
func (s *Severity) UnmarshalText(b []byte) error {
	for i, name := range severityNames {
		if string(b) == name {
			*s = Severity(i)
			return nil
		}
	}
	return fmt.Errorf("severity %.20q: one of %v", b, severityNames)
}
