package sdp

import "iter"

// A Fault is why a description was refused. FaultNone is no refusal.
type Fault uint8

// Every refusal of this package.
const (
	// FaultNone: nothing is wrong.
	FaultNone Fault = iota
	// FaultTooLarge: more than MaxSize bytes.
	FaultTooLarge
	// FaultLineCount: more than MaxLines lines.
	FaultLineCount
	// FaultVersion: the first line is not "v=0".
	FaultVersion
	// FaultLine: a line that is not a lower-case letter and '='.
	FaultLine
	// FaultEmptyLine: an empty line with lines after it.
	FaultEmptyLine
	// FaultLineEnds: some lines end in CRLF and some in LF.
	FaultLineEnds
	// FaultBareCR: a CR without its LF.
	FaultBareCR
	// FaultNUL: a zero byte, where C readers stop.
	FaultNUL
	// FaultDuplicateLine: a second v= or o=.
	FaultDuplicateLine
	// FaultDuplicateConnection: a second c= in one section.
	FaultDuplicateConnection
	// FaultDuplicateRTCP: a second a=rtcp in one section.
	FaultDuplicateRTCP
	// FaultMediaCount: more than MaxMedia m= lines.
	FaultMediaCount
	// FaultMediaLine: an m= without media, port, protocol and format.
	FaultMediaLine
	// FaultPort: a port, of m= or a=rtcp, that is not a number of 0 to 65535.
	FaultPort
	// FaultPortCount: a number of ports other than 1: the relay has one pair for each m=.
	FaultPortCount
	// FaultFormatCount: more than MaxFormats formats in one m=.
	FaultFormatCount
	// FaultConnection: a c=, or an address in a=rtcp, that is not IN, IP4 or IP6 and an address of that family or a name.
	FaultConnection
	// FaultMulticast: a multicast address, which a relay of two ends can not serve.
	FaultMulticast
	// FaultNoConnection: an m= with a port and no c= for it.
	FaultNoConnection
	// FaultPtime: a packet time that is no number or not above 0.
	FaultPtime
	// FaultBundle: more than MaxMedia bundle groups, or names in one of them.
	FaultBundle
	// FaultMultipart: a multipart body without a usable boundary, without its end, or with a part whose headers can not be read.
	FaultMultipart
	// FaultPartCount: more than MaxParts parts, or nested deeper than MaxDepth.
	FaultPartCount
	// FaultPartEncoding: the SDP part is encoded (Content-Transfer-Encoding base64, quoted-printable).
	FaultPartEncoding
	// FaultTwoDescriptions: two SDP parts in one body.
	FaultTwoDescriptions
	numFaults
)

var labels = [numFaults]string{
	FaultNone:                "none",
	FaultTooLarge:            "sdp_too_large",
	FaultLineCount:           "sdp_line_count",
	FaultVersion:             "sdp_version",
	FaultLine:                "sdp_line",
	FaultEmptyLine:           "sdp_empty_line",
	FaultLineEnds:            "sdp_line_ends",
	FaultBareCR:              "sdp_bare_cr",
	FaultNUL:                 "sdp_nul",
	FaultDuplicateLine:       "sdp_duplicate_line",
	FaultDuplicateConnection: "sdp_duplicate_connection",
	FaultDuplicateRTCP:       "sdp_duplicate_rtcp",
	FaultMediaCount:          "sdp_media_count",
	FaultMediaLine:           "sdp_media_line",
	FaultPort:                "sdp_port",
	FaultPortCount:           "sdp_port_count",
	FaultFormatCount:         "sdp_format_count",
	FaultConnection:          "sdp_connection",
	FaultMulticast:           "sdp_multicast",
	FaultNoConnection:        "sdp_no_connection",
	FaultPtime:               "sdp_ptime",
	FaultBundle:              "sdp_bundle",
	FaultMultipart:           "sdp_multipart",
	FaultPartCount:           "sdp_part_count",
	FaultPartEncoding:        "sdp_part_encoding",
	FaultTwoDescriptions:     "sdp_two_descriptions",
}

// String is the label of f in metrics, logs and the Warning of a 488.
func (f Fault) String() string {
	if f >= numFaults {
		return "unknown"
	}
	return labels[f]
}

// Faults yields every refusal, FaultNone excluded: for metrics that exist before they count.
func Faults() iter.Seq[Fault] {
	return func(yield func(Fault) bool) {
		for f := FaultNone + 1; f < numFaults; f++ {
			if !yield(f) {
				return
			}
		}
	}
}
