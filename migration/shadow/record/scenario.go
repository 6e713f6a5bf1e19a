package record

// A Feature is something that a call used beyond ringing and talking.
type Feature string

// The features that messages show.
const (
	FeatureHold       Feature = "hold"
	FeatureTransfer   Feature = "transfer"
	FeatureForward    Feature = "forward"
	FeatureVoicemail  Feature = "voicemail"
	FeatureFax        Feature = "fax"
	FeatureDTMF       Feature = "dtmf"
	FeatureHunt       Feature = "hunt"
	FeaturePark       Feature = "park"
	FeatureAfterHours Feature = "after-hours"
)

// A Scenario is a kind of call: "out/phone/pstn answered hold+dtmf", that is direction, origin, type of target, outcome,
// features. Anything but a call begins with its method: "register/phone answered".
type Scenario string

// Scenario is the kind of call that this one is.
func (c *Call) Scenario() Scenario { return Scenario(c.Method) }
