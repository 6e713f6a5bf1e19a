package config

import "time"

// Config is the file as written. The tags are the keys; the comments say what an empty value means.
type Config struct {
	Node    string   `mapstructure:"node"`    // name of this edge, unique over all edges
	Store   string   `mapstructure:"store"`   // URL of the policy store
	Data    string   `mapstructure:"data"`    // URL of the Redis that edges share bindings over; empty: the store, where that is a Redis
	Names   []string `mapstructure:"names"`   // every host by which phones and carriers know us
	Via     string   `mapstructure:"via"`     // sent-by of all edges towards the inside: host or host:port; empty: the listener's
	Secrets string   `mapstructure:"secrets"` // file of HA1s and passwords for keep: digest
	State   string   `mapstructure:"state"`   // directory of what survives a restart
	Keys    string   `mapstructure:"keys"`    // file of token keys, or the keys themselves; see LoadKeys

	Listen    []Listen  `mapstructure:"listen"`
	Platforms Platforms `mapstructure:"platforms"`
	Carriers  []Carrier `mapstructure:"carriers"`
	Media     Media     `mapstructure:"media"`
	Admin     Admin     `mapstructure:"admin"`
	Limits    Limits    `mapstructure:"limits"`
	Timers    Timers    `mapstructure:"timers"`

	// Scanners are names in User-Agent, in any case, of tools that probe providers: who calls itself so and is unknown gets no answer.
	Scanners []string `mapstructure:"scanners"`

	// BootDefault serves new requests while the edge has never had a policy: "none" (503) or "legacy".
	BootDefault string `mapstructure:"bootDefault"`
	Log         Log    `mapstructure:"log"`
	LogNumbers  bool   `mapstructure:"logNumbers"` // write whole numbers into the log, not just their last two digits
}

// Side says who is at the other end of a listener.
type Side string

const (
	Outside Side = "outside" // phones and carriers
	Inside  Side = "inside"  // the two platforms
	Own     Side = "own"     // Hotcut's own requests; nothing relayed leaves by it
	Shadow  Side = "shadow"  // the dark core: copies leave by it, and what the dark core sends out ends there
)

// Proto is a transport protocol.
type Proto string

const (
	UDP Proto = "udp"
	TCP Proto = "tcp"
)

// Listen is one socket.
type Listen struct {
	Name      string `mapstructure:"name"`
	Side      Side   `mapstructure:"side"`
	Transport Proto  `mapstructure:"transport"` // empty: udp
	Address   string `mapstructure:"address"`   // numeric host:port
	Advertise string `mapstructure:"advertise"` // host or host:port that peers are told; empty: Address
	Readers   int    `mapstructure:"readers"`   // SO_REUSEPORT sockets of a UDP listener; 0: 1
	Cert      string `mapstructure:"cert"`      // not in this build
	Key       string `mapstructure:"key"`       // not in this build
}

// Platforms are the two sides that can serve a tenant.
type Platforms struct {
	Legacy Platform `mapstructure:"legacy"`
	Core   Platform `mapstructure:"core"`
}

// Platform is where we send (Targets) and where its requests come from (Sources).
type Platform struct {
	Targets []Target `mapstructure:"targets"`
	// Sources are networks, addresses or address:port ("10.0.1.0/24", "10.0.1.5", "10.0.1.5:5060"; a port counts for
	// UDP only). Empty: the targets' addresses.
	Sources   []string `mapstructure:"sources"`
	Listeners []string `mapstructure:"listeners"` // inside listeners that its requests arrive on; empty: every one
	MediaNets []string `mapstructure:"mediaNets"` // networks or addresses of its media servers, where media may come from besides the address in their SDP
	Dark      []Dark   `mapstructure:"dark"`      // of the core only: instances that get copies and nothing else
}

// Target is one SIP next hop of a platform.
type Target struct {
	Name          string        `mapstructure:"name"`
	URI           string        `mapstructure:"uri"`           // sip:ADDRESS[:PORT][;transport=udp|tcp]
	Pool          string        `mapstructure:"pool"`          // empty: "main"
	ReachBack     string        `mapstructure:"reach_back"`    // how it reaches phones: by "path" (RFC 3327) or by our "contact"; empty: path
	Keep          string        `mapstructure:"keep"`          // how REGISTERs of our own are accepted: trust, digest or none; empty: none
	CallID        string        `mapstructure:"callid"`        // of those: "own", or "phone" where it lists one contact under two Call-IDs twice; empty: own
	ListsAll      bool          `mapstructure:"listsAll"`      // its 2xx to REGISTER lists every contact: what is missing there is gone (`hotcut doctor`)
	RegisterRate  int           `mapstructure:"registerRate"`  // REGISTERs of phones per second from this edge; more wait; 0: 1000
	KeepRate      int           `mapstructure:"keepRate"`      // REGISTERs of our own per second from this edge; 0: 200
	TimerB        time.Duration `mapstructure:"timerB"`        // silence after which an INVITE goes to the next target; 0: timers.b
	SharedDialogs bool          `mapstructure:"sharedDialogs"` // any target of the pool can serve any dialog of it
}

// Dark is a dark core: an instance of the core's build without trunks and phones.
type Dark struct {
	Name    string   `mapstructure:"name"`
	URI     string   `mapstructure:"uri"`     // sip:ADDRESS[:PORT], by UDP
	Sink    string   `mapstructure:"sink"`    // listener of side shadow; empty: the only one
	Sources []string `mapstructure:"sources"` // where its requests come from, as in Platform; empty: the URI's address, any port
	Build   string   `mapstructure:"build"`   // that it runs: another one begins counts of its own; empty: unnamed
}

// Carrier is a trunk to the outside world.
type Carrier struct {
	Name         string   `mapstructure:"name"`
	URI          string   `mapstructure:"uri"`
	Sources      []string `mapstructure:"sources"`      // empty: the URI's address
	Trusted      bool     `mapstructure:"trusted"`      // its P-Asserted-Identity is believed
	NumberFormat string   `mapstructure:"numberFormat"` // e164, national:CC, strip:N; empty: e164
	Egress       string   `mapstructure:"egress"`       // inside listener that its calls leave by, and nothing else
	Media        string   `mapstructure:"media"`        // off: SDP of its calls passes untouched; empty: relayed as all others
}

// Media says who relays RTP.
type Media struct {
	Engine    string   `mapstructure:"engine"`    // none: SDP passes untouched; embedded: this process; ng: servers
	Outside   []string `mapstructure:"outside"`   // numeric addresses, one of a family; empty: that of the first outside listener
	Inside    []string `mapstructure:"inside"`    // likewise
	Advertise []string `mapstructure:"advertise"` // what SDP says instead of an outside address, where a cloud translates it
	Ports     string   `mapstructure:"ports"`     // LOWEST-HIGHEST, of each address

	// Of engine ng.
	Servers    []string      `mapstructure:"servers"`    // numeric host:port of NG servers: rtpengine, or `hotcut media`
	Interfaces []string      `mapstructure:"interfaces"` // what they call the outside and the inside
	Wait       time.Duration `mapstructure:"wait"`       // a message waits so long for them, then the call goes on without being relayed
}

// Admin says where operators reach the edge.
type Admin struct {
	Socket  string `mapstructure:"socket"`  // path of the Unix socket; empty: none
	Metrics string `mapstructure:"metrics"` // numeric host:port of /metrics, /healthz and /readyz; empty: none
}

// Log says what is written and how.
type Log struct {
	Level  string `mapstructure:"level"`  // debug, info, warn, error
	Format string `mapstructure:"format"` // json, text
}

// Timers of RFC 3261 section 17 and of the edge itself.
type Timers struct {
	T1    time.Duration `mapstructure:"t1"`
	T2    time.Duration `mapstructure:"t2"`
	T4    time.Duration `mapstructure:"t4"`
	B     time.Duration `mapstructure:"b"`     // silence that ends a client transaction; 0: 64 x t1
	C     time.Duration `mapstructure:"c"`     // longest ringing without a sign of life (RFC 3261 section 16.6 item 11)
	Probe time.Duration `mapstructure:"probe"` // between two OPTIONS to a target, +-20 %
	Drain time.Duration `mapstructure:"drain"` // longest drain before the edge exits with calls still up

	Keepalive time.Duration `mapstructure:"keepalive"` // between two keepalives to a registered phone, +-20 %; 0: none
}
