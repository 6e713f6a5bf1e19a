package tap

// What marks a message as a copy. An edge refuses a message that has one of them on every listener but the shadow's own,
// whoever sent it, whatever else stands in it: a copy that got out of the dark reaches nobody.
const (
	// Header is the name of the header that every copy has, in lower case.
	Header = "x-hotcut-shadow"
	// SinkUser begins the user part of every URI that leads to the shadow's sink: of Contacts, of trunks, of whatever a dark core is
	// given to call. The dash keeps it from ever being read as a binding's id or a flow's token.
	SinkUser = "hotcut-shadow-"
)
