package record

// Bounds. What is over them is left out, and where that could change a comparison the record says so in Missing.
const (
	maxLegs      = 32       // far legs of an exchange
	maxMessages  = 512      // of one leg
	maxElems     = 16       // elements of one header field, all its lines together
	maxHeaders   = 16 << 10 // bytes of redacted header section; beyond it only what makes a message scan is written
	maxBody      = 16 << 10 // bytes of a body that is read
	maxBodyOut   = 8 << 10  // bytes of a redacted body: a Content-Length of four digits
	maxMedia     = 8        // m= lines
	maxCodecs    = 24       // formats of one m=
	maxDialogs   = 32       // of one dialog-info
	maxDepth     = 8        // of XML elements
	maxStates    = 64       // of one entity
	maxEntities  = 32       // of one call
	maxUserBytes = 256      // of a user part that is read as a number
	maxPort      = 9999     // larger ports are left out: five digits could be somebody's number
)
