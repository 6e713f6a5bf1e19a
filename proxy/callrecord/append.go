package callrecord

import (
	"encoding/json"
	"strconv"
)

// appendLine appends r as json.Marshal writes it, without a walk over types: a call has two records. What few calls
// have, and what other packages may add to, is left to json.
func appendLine(b []byte, r *Record) ([]byte, error) {
	o := object{b: append(b, '{')}
	o.text("callId", r.CallID)
	o.text("edge", r.Edge)
	o.textIf("tenant", r.Tenant)
	o.text("method", r.Method)
	o.textIf("platform", r.Platform)
	o.textIf("target", r.Target)
	o.textIf("reason", r.Reason)
	o.numberIf("arg", int64(r.Arg))
	o.name("rev")
	o.b = strconv.AppendUint(o.b, r.Rev, 10)
	o.textIf("epoch", r.Epoch)
	o.text("from", r.From)
	o.text("to", r.To)
	o.textIf("fromE164", r.FromE164)
	o.textIf("toE164", r.ToE164)
	o.textIf("direction", r.Direction)
	o.textIf("source", r.Source)
	o.textIf("listener", r.Listener)
	o.name("start")
	o.b = strconv.AppendInt(o.b, r.Start, 10)
	o.numberIf("ring", r.Ring)
	o.numberIf("answer", r.Answer)
	o.numberIf("end", r.End)
	o.numberIf("code", int64(r.Code))
	o.textIf("hungUp", r.HungUp)
	o.textIf("cause", r.Cause)
	if len(r.PlatformCodes) > 0 {
		o.value("platformCodes", r.PlatformCodes)
	}
	if r.Media != nil {
		o.value("media", r.Media)
	}
	if len(r.Tried) > 0 {
		o.value("tried", r.Tried)
	}
	if q := &r.Query; *q != (Query{}) {
		o.name("query")
		o.b = append(o.b, '{')
		o.textIf("direction", q.Direction)
		o.textIf("number", q.Number)
		o.textIf("unit", q.Unit)
		o.textIf("trunk", q.Trunk)
		o.textIf("domain", q.Domain)
		if q.Emergency {
			o.name("emergency")
			o.b = append(o.b, "true"...)
		}
		o.textIf("from", q.From)
		o.numberIf("mirror", int64(q.Mirror))
		o.numberIf("now", q.Now)
		o.textIf("source", q.Source)
		o.b = append(o.b, '}')
	}
	return append(o.b, '}', '\n'), o.err
}

// object is a JSON object under construction.
type object struct {
	b   []byte
	err error
}

func (o *object) name(n string) {
	if o.b[len(o.b)-1] != '{' {
		o.b = append(o.b, ',')
	}
	o.b = append(append(append(o.b, '"'), n...), '"', ':')
}

func (o *object) text(name, s string) {
	o.name(name)
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			o.marshal(s)
			return
		}
	}
	o.b = append(append(append(o.b, '"'), s...), '"')
}

func (o *object) textIf(name, s string) {
	if s != "" {
		o.text(name, s)
	}
}

func (o *object) numberIf(name string, n int64) {
	if n != 0 {
		o.name(name)
		o.b = strconv.AppendInt(o.b, n, 10)
	}
}

func (o *object) value(name string, v any) {
	o.name(name)
	o.marshal(v)
}

func (o *object) marshal(v any) {
	j, err := json.Marshal(v)
	if err != nil {
		o.err = err
		return
	}
	o.b = append(o.b, j...)
}
