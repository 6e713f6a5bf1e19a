package record

import "time"

// A Call is the canonical record of one side of a call. It is redacted, and its zero values say "not there". Slices that
// are sets are sorted and without doubles.
type Call struct {
	Side    Side   `json:"side"`
	Tenant  string `json:"tenant"`
	Edge    string `json:"edge,omitempty"`
	Build   string `json:"build,omitempty"`
	Profile string `json:"profile,omitempty"`
	Rev     uint64 `json:"rev,omitempty"`
	ID      string `json:"id"`     // Redactor.CallID of the live near leg's Call-ID: the same on both sides
	At      int64  `json:"at"`     // unix ns of the first request
	Method  string `json:"method"` // INVITE, REGISTER, SUBSCRIBE, OPTIONS
	Origin  string `json:"origin"` // party of the near leg

	Caller Address `json:"caller"` // From of the first request
	Called Address `json:"called"` // its Request-URI

	Outcome Outcome  `json:"outcome"`
	Far     []FarLeg `json:"far,omitempty"` // by when they began

	Offer  *SDP `json:"offer,omitempty"`  // what the caller heard of first or said first: context, not compared
	Answer *SDP `json:"answer,omitempty"` // the platform's, or, offerless, its offer in the 2xx

	Early     Early        `json:"early,omitzero"`
	Rel100    bool         `json:"rel100,omitzero"` // a provisional response was sent reliably (RFC 3262)
	Timer     SessionTimer `json:"timer,omitzero"`
	Require   []string     `json:"require,omitempty"`   // set: option tags in what the platform sent to the caller
	Supported []string     `json:"supported,omitempty"` // set: those that change behaviour
	Alert     []Alert      `json:"alert,omitempty"`     // towards the caller
	Connected Identity     `json:"connected,omitzero"`  // what the caller's display is told of who answered: PAI, RPID, Privacy

	Register *Register `json:"register,omitempty"`
	Notify   []Notify  `json:"notify,omitempty"`

	Times Times `json:"times,omitzero"`
	End   End   `json:"end,omitzero"`

	Features   []Feature      `json:"features,omitempty"`    // set
	Unexpected map[string]int `json:"unexpected,omitempty"`  // method -> requests and legs that nothing on the other side explains
	Reason     []string       `json:"reason,omitempty"`      // multiset, sorted: "Q.850;cause=17"
	Warning    []int          `json:"warning,omitempty"`     // multiset of warn-codes, sorted
	RetryAfter []int          `json:"retry_after,omitempty"` // seconds, sorted

	Notes   []string `json:"notes,omitempty"`
	Missing string   `json:"missing,omitempty"` // why this record can not be compared; then the rest is what could be read
}

// A FarLeg is what the platform sent out for the call.
type FarLeg struct {
	Party     string        `json:"party"`
	To        Address       `json:"to"` // destination
	Identity  Identity      `json:"identity,omitzero"`
	Delay     time.Duration `json:"delay"` // since the first request, waits of the twin subtracted
	Outcome   Outcome       `json:"outcome"`
	Offer     *SDP          `json:"offer,omitempty"`  // the platform's
	Answer    *SDP          `json:"answer,omitempty"` // the callee's
	Require   []string      `json:"require,omitempty"`
	Supported []string      `json:"supported,omitempty"`
	Timer     SessionTimer  `json:"timer,omitzero"`
	Alert     []Alert       `json:"alert,omitempty"`

	Unexpected bool `json:"unexpected,omitzero"`
}

// An Identity is who a leg says is calling.
type Identity struct {
	From      Address    `json:"from,omitempty"`
	Named     bool       `json:"named,omitzero"`      // From has a display name, which is not kept
	PAI       []Address  `json:"pai,omitempty"`       // set: P-Asserted-Identity
	RPID      []Address  `json:"rpid,omitempty"`      // set: Remote-Party-ID
	Charge    []Address  `json:"charge,omitempty"`    // set: P-Charge-Info, who pays
	Privacy   []string   `json:"privacy,omitempty"`   // set, lower case
	Diversion []Diverted `json:"diversion,omitempty"` // from the most recent on
	History   []Diverted `json:"history,omitempty"`
}

// A Diverted is one entry of Diversion or History-Info.
type Diverted struct {
	Address Address `json:"address"`
	Reason  string  `json:"reason,omitempty"` // "no-answer", or "486": lower case
}

// An SDP is what a description says, without what is different in every call.
type SDP struct {
	Media      []Media `json:"media,omitempty"`
	Unreadable string  `json:"unreadable,omitempty"` // why nothing could be read
}

// Media is one m= line.
type Media struct {
	Type      string   `json:"type"`             // "audio", "video", "image"
	Profile   string   `json:"profile"`          // "RTP/AVP"
	Refused   bool     `json:"refused,omitzero"` // port 0
	Codecs    []string `json:"codecs,omitempty"` // in order, lower case: "pcma/8000"; without telephone-event
	DTMF      bool     `json:"dtmf,omitzero"`    // telephone-event
	Ptime     int      `json:"ptime,omitzero"`   // ms
	Direction string   `json:"direction"`        // "sendrecv"
	Held      bool     `json:"held,omitzero"`    // by its direction, or by the unspecified address (RFC 2543)
	Crypto    []string `json:"crypto,omitempty"` // set: "dtls", or the suite of SDES in lower case; never a key
}

// Early is what the caller got before an answer.
type Early struct {
	Codes []int `json:"codes,omitempty"` // set of 18x
	Media *SDP  `json:"media,omitempty"` // the first description in a provisional response
}

// A SessionTimer is what was agreed (RFC 4028).
type SessionTimer struct {
	Expires   int    `json:"expires,omitzero"` // seconds
	Refresher string `json:"refresher,omitempty"`
	MinSE     int    `json:"min_se,omitzero"`
}

// An Alert is one Alert-Info or Call-Info.
type Alert struct {
	Header string   `json:"header"`           // "Alert-Info", "Call-Info"
	Ring   string   `json:"ring,omitempty"`   // the last part of the URI if it is a well-known one ("bellcore-dr2"), else a token
	Params []string `json:"params,omitempty"` // set: "answer-after=0"
}

// A Register is the answer to a REGISTER.
type Register struct {
	Code         int         `json:"code"`
	Expires      int         `json:"expires"` // seconds granted to the contact that asked, else the longest; 0: removed
	MinExpires   int         `json:"min_expires,omitzero"`
	Contacts     []Address   `json:"contacts,omitempty"`      // set: users of the bound contacts
	ServiceRoute []string    `json:"service_route,omitempty"` // sequence of hosts
	Challenges   []Challenge `json:"challenges,omitempty"`
}

// A Challenge is one of a 401 or 407.
type Challenge struct {
	Realm     string `json:"realm"`     // token
	Algorithm string `json:"algorithm"` // upper case; MD5 if none is named
	Qop       string `json:"qop,omitempty"`
}

// A Notify is the last state that NOTIFYs of one event package reported of one entity.
type Notify struct {
	Event  string   `json:"event"`  // "dialog", "message-summary"
	Entity Address  `json:"entity"` // of dialog-info, or the message account
	State  []string `json:"state"`  // sequence of states seen, doubles in a row left out: "initiator early", "waiting yes", "terminated"
}

// Times are measured from the first request, on the platform's account: waits of the twin are subtracted. 0: it did not happen.
type Times struct {
	FirstAnswer time.Duration `json:"first_answer,omitzero"` // any response
	Ring        time.Duration `json:"ring,omitzero"`         // 180 or 183
	Answer      time.Duration `json:"answer,omitzero"`       // 2xx
	Final       time.Duration `json:"final,omitzero"`        // any final response
}

// End is how an answered call ended.
type End struct {
	By    string        `json:"by,omitempty"` // "caller", "called"; "": the messages do not show it
	After time.Duration `json:"after,omitzero"`
}
