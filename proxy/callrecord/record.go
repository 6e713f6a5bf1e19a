package callrecord

// Record is one call, from its INVITE to its end. Times are unix milliseconds, 0: it never came to that.
type Record struct {
	CallID string `json:"callId"`
	Edge   string `json:"edge"`
	Tenant string `json:"tenant,omitempty"` // "" for an unknown one
	Method string `json:"method"`

	Platform string `json:"platform,omitempty"` // "legacy", "core"; "" when it was refused before a decision
	Target   string `json:"target,omitempty"`
	Reason   string `json:"reason,omitempty"` // policy reason by name
	Arg      int    `json:"arg,omitempty"`    // its rule number or bucket
	Rev      uint64 `json:"rev"`
	Epoch    string `json:"epoch,omitempty"`

	From      string `json:"from"` // raw, user@host
	To        string `json:"to"`
	FromE164  string `json:"fromE164,omitempty"` // normalised for look-up, never forwarded
	ToE164    string `json:"toE164,omitempty"`
	Direction string `json:"direction,omitempty"`
	Source    string `json:"source,omitempty"`   // address:port that the INVITE came from
	Listener  string `json:"listener,omitempty"` // name of the listener that took it

	Start  int64 `json:"start"`            // INVITE received
	Ring   int64 `json:"ring,omitempty"`   // first 180 to 183
	Answer int64 `json:"answer,omitempty"` // 2xx
	End    int64 `json:"end,omitempty"`    // BYE, final refusal or time-out

	Code          int    `json:"code,omitempty"`   // final status sent upstream
	HungUp        string `json:"hungUp,omitempty"` // "caller", "callee" or ""
	Cause         string `json:"cause,omitempty"`  // name of the refusal or fallback
	PlatformCodes []int  `json:"platformCodes,omitempty"`
	Media         *Media `json:"media,omitempty"` // nil: the call was not relayed

	Tried []Attempt `json:"tried,omitempty"` // the targets that were given up before Target, in order

	Query Query `json:"query,omitzero"`
}

// Attempt is a target that was given up for the next.
type Attempt struct {
	Platform string `json:"platform"`
	Target   string `json:"target"`
	Code     int    `json:"code,omitempty"`  // what it said
	Cause    string `json:"cause,omitempty"` // or what happened instead: "timeout", "transport"
}

// Query is what the policy was asked, so that "the same call at rev N" can be asked again. The tenant is looked up
// anew from the record's own fields; Method stands in the record.
type Query struct {
	Direction string `json:"direction,omitempty"`
	Number    string `json:"number,omitempty"` // called number, E.164
	Unit      string `json:"unit,omitempty"`
	Trunk     string `json:"trunk,omitempty"`
	Domain    string `json:"domain,omitempty"`
	Emergency bool   `json:"emergency,omitempty"`
	From      string `json:"from,omitempty"` // arriving platform; "" from outside
	Mirror    uint16 `json:"mirror,omitempty"`
	Now       int64  `json:"now,omitempty"` // unix seconds
	Source    string `json:"source,omitempty"`
}
