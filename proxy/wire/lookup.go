package wire

const xHotcut = "X-Hotcut-"

// lookup finds the ID of a header name: by length, then by the folded bytes. The name
// must be a token.
func lookup(name []byte) HeaderID {
	switch len(name) {
	case 1:
		switch name[0] | 0x20 {
		case 'v':
			return HVia
		case 'f':
			return HFrom
		case 't':
			return HTo
		case 'i':
			return HCallID
		case 'm':
			return HContact
		case 'l':
			return HContentLength
		case 'c':
			return HContentType
		case 'e':
			return HContentEncoding
		case 'k':
			return HSupported
		case 'u':
			return HAllowEvents
		case 'y':
			return HIdentity
		case 'n':
			return HIdentityInfo
		case 'r':
			return HReferTo
		case 'b':
			return HReferredBy
		case 'o':
			return HEvent
		case 'x':
			return HSessionExpires
		case 's':
			return HSubject
		case 'a':
			return HAcceptContact
		case 'j':
			return HRejectContact
		case 'd':
			return HRequestDisposition
		}
		return HOther
	case 2:
		switch name[0] | 0x20 {
		case 't':
			if isName(name, "to") {
				return HTo
			}
		}
	case 3:
		switch name[0] | 0x20 {
		case 'v':
			if isName(name, "via") {
				return HVia
			}
		}
	case 4:
		switch name[0] | 0x20 {
		case 'c':
			if isName(name, "cseq") {
				return HCSeq
			}
		case 'd':
			if isName(name, "date") {
				return HDate
			}
		case 'f':
			if isName(name, "from") {
				return HFrom
			}
		case 'j':
			if isName(name, "join") {
				return HJoin
			}
		case 'p':
			if isName(name, "path") {
				return HPath
			}
		case 'r':
			if isName(name, "rseq") {
				return HRSeq
			}
			if isName(name, "rack") {
				return HRAck
			}
		}
	case 5:
		switch name[0] | 0x20 {
		case 'a':
			if isName(name, "allow") {
				return HAllow
			}
		case 'e':
			if isName(name, "event") {
				return HEvent
			}
		case 'r':
			if isName(name, "route") {
				return HRoute
			}
		}
	case 6:
		switch name[0] | 0x20 {
		case 'a':
			if isName(name, "accept") {
				return HAccept
			}
		case 'm':
			if isName(name, "min-se") {
				return HMinSE
			}
		case 'r':
			if isName(name, "reason") {
				return HReason
			}
		case 's':
			if isName(name, "server") {
				return HServer
			}
		}
	case 7:
		switch name[0] | 0x20 {
		case 'c':
			if isName(name, "call-id") {
				return HCallID
			}
			if isName(name, "contact") {
				return HContact
			}
		case 'e':
			if isName(name, "expires") {
				return HExpires
			}
		case 'p':
			if isName(name, "privacy") {
				return HPrivacy
			}
		case 'r':
			if isName(name, "require") {
				return HRequire
			}
		case 's':
			if isName(name, "subject") {
				return HSubject
			}
		case 'w':
			if isName(name, "warning") {
				return HWarning
			}
		}
	case 8:
		switch name[0] | 0x20 {
		case 'i':
			if isName(name, "identity") {
				return HIdentity
			}
		case 'r':
			if isName(name, "replaces") {
				return HReplaces
			}
			if isName(name, "refer-to") {
				return HReferTo
			}
			if isName(name, "reply-to") {
				return HReplyTo
			}
		case 's':
			if isName(name, "sip-etag") {
				return HSIPETag
			}
		}
	case 9:
		switch name[0] | 0x20 {
		case 'c':
			if isName(name, "call-info") {
				return HCallInfo
			}
		case 'd':
			if isName(name, "diversion") {
				return HDiversion
			}
		case 's':
			if isName(name, "supported") {
				return HSupported
			}
		case 't':
			if isName(name, "timestamp") {
				return HTimestamp
			}
		}
	case 10:
		switch name[0] | 0x20 {
		case 'a':
			if isName(name, "alert-info") {
				return HAlertInfo
			}
		case 'e':
			if isName(name, "error-info") {
				return HErrorInfo
			}
		case 'f':
			if isName(name, "flow-timer") {
				return HFlowTimer
			}
		case 'u':
			if isName(name, "user-agent") {
				return HUserAgent
			}
		}
	case 11:
		switch name[0] | 0x20 {
		case 'g':
			if isName(name, "geolocation") {
				return HGeolocation
			}
		case 'm':
			if isName(name, "min-expires") {
				return HMinExpires
			}
		case 'r':
			if isName(name, "retry-after") {
				return HRetryAfter
			}
			if isName(name, "referred-by") {
				return HReferredBy
			}
		case 'u':
			if isName(name, "unsupported") {
				return HUnsupported
			}
		}
	case 12:
		switch name[0] | 0x20 {
		case 'a':
			if isName(name, "allow-events") {
				return HAllowEvents
			}
		case 'c':
			if isName(name, "content-type") {
				return HContentType
			}
		case 'h':
			if isName(name, "history-info") {
				return HHistoryInfo
			}
		case 'm':
			if isName(name, "max-forwards") {
				return HMaxForwards
			}
		case 'r':
			if isName(name, "record-route") {
				return HRecordRoute
			}
		case 's':
			if isName(name, "sip-if-match") {
				return HSIPIfMatch
			}
		}
	case 13:
		switch name[0] | 0x20 {
		case 'a':
			if isName(name, "authorization") {
				return HAuthorization
			}
		case 'i':
			if isName(name, "identity-info") {
				return HIdentityInfo
			}
		case 'p':
			if isName(name, "proxy-require") {
				return HProxyRequire
			}
			if isName(name, "p-charge-info") {
				return HPChargeInfo
			}
		case 's':
			if isName(name, "service-route") {
				return HServiceRoute
			}
		case 't':
			if isName(name, "target-dialog") {
				return HTargetDialog
			}
		}
	case 14:
		switch name[0] | 0x20 {
		case 'a':
			if isName(name, "accept-contact") {
				return HAcceptContact
			}
		case 'c':
			if isName(name, "content-length") {
				return HContentLength
			}
		case 'r':
			if isName(name, "reject-contact") {
				return HRejectContact
			}
		}
	case 15:
		switch name[0] | 0x20 {
		case 'r':
			if isName(name, "remote-party-id") {
				return HRPID
			}
		case 's':
			if isName(name, "session-expires") {
				return HSessionExpires
			}
		}
	case 16:
		switch name[0] | 0x20 {
		case 'c':
			if isName(name, "content-encoding") {
				return HContentEncoding
			}
		case 'w':
			if isName(name, "www-authenticate") {
				return HWWWAuthenticate
			}
		}
	case 18:
		switch name[0] | 0x20 {
		case 'p':
			if isName(name, "proxy-authenticate") {
				return HProxyAuthenticate
			}
		case 's':
			if isName(name, "subscription-state") {
				return HSubscriptionState
			}
		}
	case 19:
		switch name[0] | 0x20 {
		case 'a':
			if isName(name, "authentication-info") {
				return HAuthenticationInfo
			}
		case 'c':
			if isName(name, "content-disposition") {
				return HContentDisposition
			}
		case 'p':
			if isName(name, "p-asserted-identity") {
				return HPAI
			}
			if isName(name, "proxy-authorization") {
				return HProxyAuthorization
			}
		case 'r':
			if isName(name, "request-disposition") {
				return HRequestDisposition
			}
		}
	case 20:
		switch name[0] | 0x20 {
		case 'p':
			if isName(name, "p-preferred-identity") {
				return HPPI
			}
		}
	}
	if len(name) >= len(xHotcut) && isName(name[:len(xHotcut)], "x-hotcut-") {
		return HXHotcut
	}
	return HOther
}

// isName compares a token with a lower-case header name of the same length. Setting
// bit 5 folds letters, and of the other token characters only '-' gives '-'.
func isName(name []byte, lowerName string) bool {
	if len(name) != len(lowerName) {
		return false
	}
	for i := range name {
		if name[i]|0x20 != lowerName[i] {
			return false
		}
	}
	return true
}
