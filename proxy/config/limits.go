package config

import "time"

// Limits bound everything that a peer can make the edge keep or do.
type Limits struct {
	// Of one message (bytes, but for Headers). What is larger is refused with a named reason.
	Message       int `mapstructure:"message"`
	HeaderSection int `mapstructure:"headerSection"`
	Headers       int `mapstructure:"headers"` // header lines
	CallID        int `mapstructure:"callId"`
	Branch        int `mapstructure:"branch"`
	Tag           int `mapstructure:"tag"`
	URI           int `mapstructure:"uri"`

	// Of stream connections.
	Connections          int `mapstructure:"connections"`          // accepted, in all
	ConnectionsPerSource int `mapstructure:"connectionsPerSource"` // accepted, from one address

	// Of sources. Unknown ones are counted per /32 or /64; platforms and carriers each have the known budget.
	// Rates are messages per second, a burst is how many may come at once.
	Sources     int `mapstructure:"sources"` // unknown sources remembered; the oldest is forgotten
	SourceRate  int `mapstructure:"sourceRate"`
	SourceBurst int `mapstructure:"sourceBurst"`
	ExemptRate  int `mapstructure:"exemptRate"` // second budget: responses, ACK, BYE, CANCEL, our tokens, emergencies
	ExemptBurst int `mapstructure:"exemptBurst"`
	KnownRate   int `mapstructure:"knownRate"`
	KnownBurst  int `mapstructure:"knownBurst"`

	// Of what lies in a socket while an edge can not do all: how long an INVITE may. Others have more or less, in proportion.
	Wait time.Duration `mapstructure:"wait"`

	// Of tables (entries) and files.
	Transactions    int   `mapstructure:"transactions"`
	Choices         int   `mapstructure:"choices"`  // ring of INVITE choices; a power of two
	Dialogs         int   `mapstructure:"dialogs"`  // a power of two
	Bindings        int   `mapstructure:"bindings"` // of phones, over all edges that share them
	CallRecords     int   `mapstructure:"callRecords"`
	CallRecordBytes int64 `mapstructure:"callRecordBytes"` // of all record files together
}
