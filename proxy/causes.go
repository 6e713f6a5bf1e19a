package proxy

// cause names why a message was refused, dropped or answered by the edge itself. Constant, metric label and the
// README's line are the same word.
type cause uint8

const (
	causeNone             cause = iota
	causeScan                   // wire refused it; counted under the fault's own name
	causeUnknownInside          // an inside listener heard from nobody we know
	causeSourceLimit            // the source's budget is used up
	causeOverload               // messages wait too long before they are read: new work is refused, what lives goes on
	causeScanner                // it calls itself by the name of a tool that probes providers; nothing is answered
	causeTenantLimit            // the tenant's calls per second or concurrent calls are used up
	causeTableFull              // a table of this shard is at its bound
	causeBadExtension           // Proxy-Require names something
	causeLoop                   // RFC 5393: this very request was here before
	causeFuse                   // a platform's calls of one pair of From and Request-URI come faster than people call: they go in circles
	causeForeignRoute           // a preloaded Route that names neither us nor a platform
	causeBadToken               // a token of ours whose MAC does not fit
	causeWrongSide              // a valid token, used by a party that it does not speak for
	causeNoDialog               // a To-tag, no token, and the dialog index does not know it
	causeNoTenant               // unknown tenant while the default is none
	causeNoTrunk                // a platform called something that is neither a tenant's nor a carrier's
	causeNoTarget               // the platform's pool has no target
	causeNoFlow                 // the phone's connection is gone
	causeNoPolicy               // the edge has no policy yet
	causeDraining               // the edge takes no new dialogs
	causeStrayResponse          // matches no transaction, carries no branch of ours, or names nobody below us
	causeResponseSource         // a response from somewhere else than the request went to
	causeStrayCancel            // CANCEL that matches nothing
	causeStrayAck               // ACK that matches nothing
	causeTimeout                // no final response in time (Timer B, Timer C)
	causeTransport              // the next hop could not be reached
	causeTooBig                 // our own answer would be larger than what came from an unverified source
	causeUnreachablePeer        // the edge that owns the flow is not on the roster
	causeBadRegister            // a REGISTER with a Contact that is ours or too long, too many, or an Expires that is none
	causeRegisterRate           // more REGISTERs for a target than it takes, for longer than a phone waits
	causeAnsweredPing           // a platform's OPTIONS for a phone: answered by the edge, which keeps the phone's flow
	causeNotServing             // a platform asked for a phone that the other one serves
	causeForeignNotify          // a NOTIFY without dialog of the platform that does not serve: answered and dropped
	causeForeignCheckSync       // likewise, and it would have restarted the phone
	causeIntercepted            // a further branch of a call that was turned to the serving platform
	causeInterceptFailed        // the serving platform would not have a call that was turned to it: the phone rings after all
	causePhoneChallenge         // a phone challenged a platform's request: its answer would leak a digest
	causeEvicted                // a subscription whose platform no longer serves
	causeRefusedSDP             // a session description that no two readers read alike: 488, unless the tenant says pass
	causeMediaQueue             // more messages of a call than may wait while a media server is asked
	causeTrailing               // bytes after the body of a datagram: dropped, the message itself passes
	causeShadowMark             // a message that is marked as a copy, or goes to the shadow's sink: only the sink takes those
	causeDarkSource             // a message from a dark core: only the shadow's sink takes those
	causePanic                  // a fault of ours: the state of that Call-ID was dropped
	causes
)

var causeWords = [causes]string{
	"none", "scan", "unknown_inside", "source_limit", "overload", "scanner", "tenant_limit", "table_full", "bad_extension", "loop", "loop_fuse", "foreign_route", "bad_token",
	"wrong_side", "no_dialog", "no_tenant", "no_trunk", "no_target", "no_flow", "no_policy", "draining", "stray_response",
	"response_source", "stray_cancel", "stray_ack", "timeout", "transport", "too_big", "unreachable_peer", "bad_register", "register_rate", "answered_ping",
	"not_serving", "foreign_notify", "foreign_check_sync", "intercepted", "intercept_failed", "phone_challenge", "evicted", "refused_sdp", "media_queue", "trailing_bytes",
	"shadow_mark", "dark_source", "panic",
}

func (c cause) String() string { return causeWords[c] }
