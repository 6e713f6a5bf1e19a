package wire

import "iter"

// A Fault is why a message was refused. FaultNone is no refusal.
type Fault uint8

// Every refusal of this package. A response is never answered: for it each of them
// means drop.
const (
	// FaultNone: nothing is wrong.
	FaultNone Fault = iota
	// FaultTooLarge: the message is longer than Limits.Message.
	FaultTooLarge
	// FaultHeaderBytes: start line and headers are longer than Limits.HeaderBytes.
	FaultHeaderBytes
	// FaultHeaderCount: there are more header lines than Limits.Headers.
	FaultHeaderCount
	// FaultTruncated: the bytes end before the empty line that closes the header section.
	FaultTruncated
	// FaultStartLine: neither a Request-Line nor a Status-Line (RFC 3261 sections 7.1, 7.2), single spaces included.
	FaultStartLine
	// FaultStatusCode: a Status-Line without a three-digit code of 100 to 699.
	FaultStatusCode
	// FaultBareCR: a CR without its LF in the header section: readers disagree on where the line ends.
	FaultBareCR
	// FaultBareLF: an LF without its CR in the header section: readers disagree on where the line ends.
	FaultBareLF
	// FaultControl: a control character that is not a quoted-pair inside a quoted string.
	FaultControl
	// FaultFold: a continuation line with nothing to continue, or one that splits a quoted-pair.
	FaultFold
	// FaultHeaderName: a header line that does not begin with a token and a colon.
	FaultHeaderName
	// FaultDuplicateHeader: a second From, To, Call-ID, CSeq, Max-Forwards or Content-Type.
	FaultDuplicateHeader
	// FaultDuplicateLength: a second Content-Length, even if it agrees. Closes a stream.
	FaultDuplicateLength
	// FaultNoVia: no Via.
	FaultNoVia
	// FaultNoFrom: no From.
	FaultNoFrom
	// FaultNoTo: no To.
	FaultNoTo
	// FaultNoCallID: no Call-ID.
	FaultNoCallID
	// FaultNoCSeq: no CSeq.
	FaultNoCSeq
	// FaultContentLength: a Content-Length that is not one to seven digits. Closes a stream.
	FaultContentLength
	// FaultNoContentLength: no Content-Length on a stream. Closes it.
	FaultNoContentLength
	// FaultBodyShort: Content-Length exceeds the bytes that are there.
	FaultBodyShort
	// FaultMaxForwards: a Max-Forwards that is not a number of 0 to 255.
	FaultMaxForwards
	// FaultCallID: a Call-ID that is not one word of printable ASCII.
	FaultCallID
	// FaultCallIDTooLong: a Call-ID longer than Limits.CallID.
	FaultCallIDTooLong
	// FaultCSeq: a CSeq that is not a number below 2**31 and a method.
	FaultCSeq
	// FaultVia: a Via that does not follow the grammar, the topmost or another.
	FaultVia
	// FaultBranchTooLong: a branch longer than Limits.Branch.
	FaultBranchTooLong
	// FaultFrom: a From that is neither name-addr nor addr-spec with parameters (quotes, brackets, commas).
	FaultFrom
	// FaultTo: a To that is neither name-addr nor addr-spec with parameters (quotes, brackets, commas).
	FaultTo
	// FaultTagTooLong: a tag longer than Limits.Tag.
	FaultTagTooLong
	// FaultDuplicateParam: branch, received, rport or tag given twice in one element.
	FaultDuplicateParam
	// FaultURITooLong: a Request-URI, or the URI of From or To, longer than Limits.URI.
	FaultURITooLong
	// FaultVersion: a SIP version other than 2.0 (Check).
	FaultVersion
	// FaultCSeqMethod: a CSeq method other than the request's (Check).
	FaultCSeqMethod
	// FaultRequestURI: a Request-URI that does not follow its grammar or has headers (Check).
	FaultRequestURI
	// FaultScheme: a Request-URI of a scheme other than sip, sips, tel and urn (Check).
	FaultScheme
	// FaultFromURI: a URI in From that does not follow its grammar (Check).
	FaultFromURI
	// FaultToURI: a URI in To that does not follow its grammar (Check).
	FaultToURI
	// FaultContact: a Contact in a REGISTER that is no address, or '*' beside others (Check).
	FaultContact
	// FaultHops: Max-Forwards is 0 (Check).
	FaultHops
	// FaultNextVia: a response whose next Via leads to a broadcast, multicast or unspecified address (Check).
	FaultNextVia
	// FaultProxyRequire: an option tag in Proxy-Require that the caller does not support (ProxyRequire).
	FaultProxyRequire
	numFaults
)

var faults = [numFaults]struct {
	label string
	code  int
}{
	FaultNone:            {"none", 0},
	FaultTooLarge:        {"message_too_large", 513},
	FaultHeaderBytes:     {"header_section_too_large", 513},
	FaultHeaderCount:     {"too_many_headers", 513},
	FaultTruncated:       {"header_section_truncated", 400},
	FaultStartLine:       {"start_line", 400},
	FaultStatusCode:      {"status_code", 0},
	FaultBareCR:          {"bare_cr", 400},
	FaultBareLF:          {"bare_lf", 400},
	FaultControl:         {"control_character", 400},
	FaultFold:            {"fold", 400},
	FaultHeaderName:      {"header_name", 400},
	FaultDuplicateHeader: {"duplicate_header", 400},
	FaultDuplicateLength: {"duplicate_content_length", 400},
	FaultNoVia:           {"missing_via", 400},
	FaultNoFrom:          {"missing_from", 400},
	FaultNoTo:            {"missing_to", 400},
	FaultNoCallID:        {"missing_call_id", 400},
	FaultNoCSeq:          {"missing_cseq", 400},
	FaultContentLength:   {"content_length", 400},
	FaultNoContentLength: {"missing_content_length", 400},
	FaultBodyShort:       {"body_short", 400},
	FaultMaxForwards:     {"max_forwards", 400},
	FaultCallID:          {"call_id", 400},
	FaultCallIDTooLong:   {"call_id_too_long", 400},
	FaultCSeq:            {"cseq", 400},
	FaultVia:             {"via", 400},
	FaultBranchTooLong:   {"branch_too_long", 400},
	FaultFrom:            {"from", 400},
	FaultTo:              {"to", 400},
	FaultTagTooLong:      {"tag_too_long", 400},
	FaultDuplicateParam:  {"duplicate_parameter", 400},
	FaultURITooLong:      {"uri_too_long", 414},
	FaultVersion:         {"sip_version", 505},
	FaultCSeqMethod:      {"cseq_method", 400},
	FaultRequestURI:      {"request_uri", 400},
	FaultScheme:          {"uri_scheme", 416},
	FaultFromURI:         {"from_uri", 400},
	FaultToURI:           {"to_uri", 400},
	FaultContact:         {"contact", 400},
	FaultHops:            {"max_forwards_zero", 483},
	FaultNextVia:         {"next_via", 0},
	FaultProxyRequire:    {"proxy_require", 420},
}

// String is the label of f in metrics and logs.
func (f Fault) String() string {
	if f >= numFaults {
		return "unknown"
	}
	return faults[f].label
}

// Code is the SIP status that answers a request refused for f, or 0 for a silent drop.
func (f Fault) Code() int {
	if f >= numFaults {
		return 0
	}
	return faults[f].code
}

// Faults yields every refusal, FaultNone excluded: for metrics that exist before they
// count.
func Faults() iter.Seq[Fault] {
	return func(yield func(Fault) bool) {
		for f := FaultNone + 1; f < numFaults; f++ {
			if !yield(f) {
				return
			}
		}
	}
}
