package wire

// A HeaderID names a header field that somebody above this package asks for. Compact
// forms (RFC 3261 section 20 and the IANA registry) have the same ID as the long ones.
type HeaderID uint8

// The header fields with an ID of their own. HOther is every other field, HXHotcut
// every field of which the name begins with "X-Hotcut-".
const (
	HOther HeaderID = iota
	HVia
	HFrom
	HTo
	HCallID
	HCSeq
	HMaxForwards
	HContact
	HRoute
	HRecordRoute
	HContentLength
	HContentType
	HContentEncoding
	HContentDisposition
	HPath
	HServiceRoute
	HExpires
	HMinExpires
	HRequire
	HProxyRequire
	HSupported
	HUnsupported
	HAllow
	HAccept
	HAllowEvents
	HPAI
	HPPI
	HRPID
	HPChargeInfo
	HPrivacy
	HIdentity
	HIdentityInfo
	HDiversion
	HHistoryInfo
	HAuthorization
	HProxyAuthorization
	HWWWAuthenticate
	HProxyAuthenticate
	HAuthenticationInfo
	HReason
	HRetryAfter
	HReplaces
	HJoin
	HTargetDialog
	HReferTo
	HReferredBy
	HReplyTo
	HEvent
	HSubscriptionState
	HUserAgent
	HServer
	HDate
	HWarning
	HRSeq
	HRAck
	HSessionExpires
	HMinSE
	HTimestamp
	HSubject
	HAlertInfo
	HCallInfo
	HErrorInfo
	HAcceptContact
	HRejectContact
	HRequestDisposition
	HGeolocation
	HSIPETag
	HSIPIfMatch
	HFlowTimer
	HXHotcut
	numHeaders
)

// A Header is one header line of a message, continuation lines included.
type Header struct {
	ID     HeaderID
	Folded bool // has continuation lines
	Line   Span // from the name to the end of the last CRLF
	Name   Span
	Value  Span // trimmed; if Folded it has CR LF inside, which AppendUnfolded takes out
}

var headerNames = [numHeaders]string{
	HOther:              "other",
	HVia:                "Via",
	HFrom:               "From",
	HTo:                 "To",
	HCallID:             "Call-ID",
	HCSeq:               "CSeq",
	HMaxForwards:        "Max-Forwards",
	HContact:            "Contact",
	HRoute:              "Route",
	HRecordRoute:        "Record-Route",
	HContentLength:      "Content-Length",
	HContentType:        "Content-Type",
	HContentEncoding:    "Content-Encoding",
	HContentDisposition: "Content-Disposition",
	HPath:               "Path",
	HServiceRoute:       "Service-Route",
	HExpires:            "Expires",
	HMinExpires:         "Min-Expires",
	HRequire:            "Require",
	HProxyRequire:       "Proxy-Require",
	HSupported:          "Supported",
	HUnsupported:        "Unsupported",
	HAllow:              "Allow",
	HAccept:             "Accept",
	HAllowEvents:        "Allow-Events",
	HPAI:                "P-Asserted-Identity",
	HPPI:                "P-Preferred-Identity",
	HRPID:               "Remote-Party-ID",
	HPChargeInfo:        "P-Charge-Info",
	HPrivacy:            "Privacy",
	HIdentity:           "Identity",
	HIdentityInfo:       "Identity-Info",
	HDiversion:          "Diversion",
	HHistoryInfo:        "History-Info",
	HAuthorization:      "Authorization",
	HProxyAuthorization: "Proxy-Authorization",
	HWWWAuthenticate:    "WWW-Authenticate",
	HProxyAuthenticate:  "Proxy-Authenticate",
	HAuthenticationInfo: "Authentication-Info",
	HReason:             "Reason",
	HRetryAfter:         "Retry-After",
	HReplaces:           "Replaces",
	HJoin:               "Join",
	HTargetDialog:       "Target-Dialog",
	HReferTo:            "Refer-To",
	HReferredBy:         "Referred-By",
	HReplyTo:            "Reply-To",
	HEvent:              "Event",
	HSubscriptionState:  "Subscription-State",
	HUserAgent:          "User-Agent",
	HServer:             "Server",
	HDate:               "Date",
	HWarning:            "Warning",
	HRSeq:               "RSeq",
	HRAck:               "RAck",
	HSessionExpires:     "Session-Expires",
	HMinSE:              "Min-SE",
	HTimestamp:          "Timestamp",
	HSubject:            "Subject",
	HAlertInfo:          "Alert-Info",
	HCallInfo:           "Call-Info",
	HErrorInfo:          "Error-Info",
	HAcceptContact:      "Accept-Contact",
	HRejectContact:      "Reject-Contact",
	HRequestDisposition: "Request-Disposition",
	HGeolocation:        "Geolocation",
	HSIPETag:            "SIP-ETag",
	HSIPIfMatch:         "SIP-If-Match",
	HFlowTimer:          "Flow-Timer",
	HXHotcut:            xHotcut,
}

// String is the long name of the field.
func (id HeaderID) String() string {
	if id >= numHeaders {
		return "other"
	}
	return headerNames[id]
}

// addresses is true for the fields of which the elements are a name-addr or an addr-spec.
func (id HeaderID) addresses() bool {
	switch id {
	case HFrom, HTo, HContact, HRoute, HRecordRoute, HPath, HServiceRoute, HPAI, HPPI, HRPID, HPChargeInfo,
		HDiversion, HHistoryInfo, HReferTo, HReferredBy, HReplyTo:
		return true
	}
	return false
}

// single is true for the fields of which a message has at most one (RFC 3261 section
// 7.3.1): a second one would let two readers see two messages.
func (id HeaderID) single() bool {
	switch id {
	case HFrom, HTo, HCallID, HCSeq, HMaxForwards, HContentLength, HContentType:
		return true
	}
	return false
}
