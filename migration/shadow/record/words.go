package record

import (
	"strings"
)

// words is a list of what may stay as it stands: protocol, never people. What is not on its list goes, or becomes a token.
type words map[string]string

func list(all string) words {
	w := words{}
	for s := range strings.FieldsSeq(all) {
		w[strings.ToLower(s)] = s
	}
	return w
}

// word is the list's spelling of b, in any case, or "".
func (w words) word(b []byte) string {
	var lower [64]byte
	if len(b) > len(lower) {
		return ""
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	return w[string(lower[:len(b)])]
}

var (
	// nobodys are user parts that name no person.
	nobodys = list("anonymous restricted unavailable unknown private voicemail vm vmail mailbox park parking orbit conference conf queue ivr")

	methods    = list("INVITE ACK BYE CANCEL OPTIONS REGISTER PRACK SUBSCRIBE NOTIFY PUBLISH INFO REFER MESSAGE UPDATE")
	transports = list("UDP TCP TLS WS WSS SCTP TLS-SCTP")
	optionTags = list(`100rel 199 answermode early-session eventlist explicitsub from-change geolocation-http geolocation-sip gin gruu
		histinfo ice join multiple-refer norefersub nosub outbound path policy precondition pref privacy recipient-list-invite record-aware
		replaces resource-priority sdp-anat sec-agree siprec tdialog timer trickle-ice uui`)
	// behaviour are the option tags of Supported that make the other side do something else.
	behaviour = list("100rel answermode early-session gruu histinfo join norefersub outbound path precondition replaces resource-priority timer")

	eventPackages = list("dialog message-summary refer presence reg conference ua-profile call-info as-feature-event line-seize hold talk check-sync keep-alive kpml")
	infoPackages  = list("dtmf nil g.3gpp.mid-call")
	subscription  = list("active pending terminated")
	endReasons    = list("deactivated probation rejected timeout giveup noresource invariant")
	privacies     = list("header session user none critical id history")
	diversions    = list("unknown user-busy no-answer unavailable unconditional time-of-day do-not-disturb deflection follow-me out-of-service away")
	reasonNames   = list("SIP Q.850 Preemption FreeSWITCH X.int")
	refreshers    = list("uac uas")
	yesNo         = list("yes no off full true false on uri name calling called")
	algorithms    = list("MD5 MD5-sess SHA-256 SHA-256-sess SHA-512-256 SHA-512-256-sess AKAv1-MD5 AKAv2-MD5")
	qops          = list("auth auth-int")
	schemes       = list("Digest Basic Bearer NTLM Kerberos")
	answerModes   = list("Auto Manual")
	earlyMedia    = list("supported sendrecv sendonly recvonly inactive gated")
	services      = list("urn:service:sos urn:service:sos.ambulance urn:service:sos.fire urn:service:sos.police")

	// Rings and their parameters (RFC 7462, and what phones have understood for longer).
	rings = list(`bellcore-dr1 bellcore-dr2 bellcore-dr3 bellcore-dr4 bellcore-dr5 bellcore-dr6 bellcore-dr7 bellcore-dr8 bellcore-bsp
		urn:alert:source:internal urn:alert:source:external urn:alert:source:friend urn:alert:source:family
		urn:alert:service:call-waiting urn:alert:service:forward urn:alert:service:normal urn:alert:service:recall
		urn:alert:service:recall:callback urn:alert:service:recall:hold urn:alert:service:recall:transfer
		urn:alert:duration:short urn:alert:duration:long urn:alert:delay:none urn:alert:delay:yes urn:alert:tone:normal
		urn:alert:priority:normal urn:alert:priority:high urn:alert:priority:low
		ring-answer autoanswer auto-answer auto_answer intercom internal external alert-internal alert-external alert-group`)
	alertNames  = list("info answer-after purpose appearance-index appearance delay ring alert-autoanswer intercom x-line-id")
	alertValues = list(`alert-autoanswer alert-internal alert-external alert-group alert-community intercom auto answer-after ring-answer icon card info
		bellcore-dr1 bellcore-dr2 bellcore-dr3 bellcore-dr4 bellcore-dr5 bellcore-dr6 bellcore-dr7 bellcore-dr8`)

	contentTypes = list(`application/sdp application/dialog-info+xml application/simple-message-summary message/sipfrag application/dtmf-relay
		application/dtmf application/vnd.nortelnetworks.digits application/media_control+xml application/pidf+xml application/reginfo+xml
		application/conference-info+xml text/plain`)

	mediaTypes = list("audio video image application text message")
	profiles   = list(`RTP/AVP RTP/SAVP RTP/AVPF RTP/SAVPF UDP/TLS/RTP/SAVP UDP/TLS/RTP/SAVPF udptl UDP/TLS/UDPTL UDP/DTLS/SCTP DTLS/SCTP
		TCP/MSRP TCP/TLS/MSRP TCP/BFCP UDP/BFCP TCP/RTP/AVP TCP`)
	formats = list("t38 webrtc-datachannel *")
	codecs  = list(`pcmu pcma g722 g723 g729 g729a g729d g729e g728 g726-16 g726-24 g726-32 g726-40 aal2-g726-16 aal2-g726-24 aal2-g726-32 aal2-g726-40
		g719 g7221 g711 gsm gsm-efr gsm-hr-08 ilbc speex opus silk isac amr amr-wb amr-wb+ evs evrc evrc0 evrcb qcelp l8 l16 l24 lpc dvi4 vdvi mp4a-latm
		mpeg4-generic mpa cn red telephone-event tone clearmode x-clear-channel t38 h261 h263 h263-1998 h263-2000 h264 h264-svc h265 vp8 vp9 av1
		rtx ulpfec flexfec-03 mp4v-es mpv jpeg t140 siren lyra codec2 bv16 bv32 x-ulpfecuc`)
	rates  = list("8000 11025 12000 16000 22050 24000 32000 44100 48000 90000 1000")
	suites = list(`AES_CM_128_HMAC_SHA1_80 AES_CM_128_HMAC_SHA1_32 F8_128_HMAC_SHA1_80 AES_192_CM_HMAC_SHA1_80 AES_192_CM_HMAC_SHA1_32
		AES_256_CM_HMAC_SHA1_80 AES_256_CM_HMAC_SHA1_32 AEAD_AES_128_GCM AEAD_AES_256_GCM NULL_HMAC_SHA1_80 NULL_HMAC_SHA1_32`)

	dialogStates     = list("trying proceeding early confirmed terminated")
	dialogDirections = list("initiator recipient")
	messageClasses   = list("voice-message fax-message pager-message multimedia-message text-message")

	parties = list("phone trunk carrier platform")
)

// phrases are the reason phrases of the registry; what a platform writes instead may name people, and goes.
var phrases = map[int]string{
	100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress", 199: "Early Dialog Terminated",
	200: "OK", 202: "Accepted", 204: "No Notification",
	300: "Multiple Choices", 301: "Moved Permanently", 302: "Moved Temporarily", 305: "Use Proxy", 380: "Alternative Service",
	400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
	406: "Not Acceptable", 407: "Proxy Authentication Required", 408: "Request Timeout", 410: "Gone", 412: "Conditional Request Failed",
	413: "Request Entity Too Large", 414: "Request-URI Too Long", 415: "Unsupported Media Type", 416: "Unsupported URI Scheme",
	417: "Unknown Resource-Priority", 420: "Bad Extension", 421: "Extension Required", 422: "Session Interval Too Small",
	423: "Interval Too Brief", 424: "Bad Location Information", 428: "Use Identity Header", 429: "Provide Referrer Identity",
	430: "Flow Failed", 433: "Anonymity Disallowed", 436: "Bad Identity Info", 437: "Unsupported Credential", 438: "Invalid Identity Header",
	439: "First Hop Lacks Outbound Support", 440: "Max-Breadth Exceeded", 469: "Bad Info Package", 470: "Consent Needed",
	480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 483: "Too Many Hops",
	484: "Address Incomplete", 485: "Ambiguous", 486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here", 489: "Bad Event",
	491: "Request Pending", 493: "Undecipherable", 494: "Security Agreement Required",
	500: "Server Internal Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Server Time-out",
	505: "Version Not Supported", 513: "Message Too Large", 555: "Push Notification Service Not Supported", 580: "Precondition Failure",
	600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere", 606: "Not Acceptable", 607: "Unwanted", 608: "Rejected",
}
