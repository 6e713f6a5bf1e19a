package shadow

import (
	"strconv"
	"strings"
	"time"

	"github.com/hotcut/hotcut/proxy/wire"
)

// listen arms the session timer that a message agrees on (RFC 4028) and returns the header lines that a 2xx of ours says it by. ours:
// the message is the 2xx to a request of ours, else a request that we are about to accept.
func (d *dialog) listen(r *wire.Message, ours bool) string {
	se := value(r, wire.HSessionExpires)
	secs, ok := number(se)
	if !ok || secs < minSession {
		return ""
	}
	_, params, _ := strings.Cut(se, ";")
	who, _ := wire.Param([]byte(params), "refresher")
	refresher := strings.ToLower(string(who))
	line := ""
	if !ours {
		if refresher == "" {
			refresher = "uac"
		}
		line = "Require: timer\r\nSession-Expires: " + strconv.Itoa(secs) + ";refresher=" + refresher + "\r\n"
	}
	d.sessionTimer(secs, ours == (refresher == "uac"))
	return line
}

const minSession = 10 // seconds: less is no session timer but a flood

func (d *dialog) sessionTimer(secs int, we bool) {
	whole := time.Duration(secs) * time.Second
	if we {
		d.m.after(&d.session, whole/2, func() { d.refresh(secs) })
		return
	}
	d.m.after(&d.session, whole-min(32*time.Second, whole/3), d.bye)
}

// refresh refreshes the session: by UPDATE, or by an INVITE where the other side does not allow that.
func (d *dialog) refresh(secs int) {
	if d.over {
		return
	}
	d.sessionTimer(secs, true) // the response arms it anew
	extra := "Supported: timer\r\nSession-Expires: " + strconv.Itoa(secs) + ";refresher=uac\r\n"
	switch {
	case d.updates:
		d.send("UPDATE", extra, "", nil, nil)
	case d.inviting || d.desc == nil:
	default:
		d.send("INVITE", extra, "application/sdp", d.describe(d.desc), nil)
	}
}
