package shadow

import (
	"fmt"
	"runtime/debug"
)

// caught is deferred by what runs beside an edge: a fault of ours there ends mirroring in this process, and is an error of Run. The
// edge, its calls and whoever else runs in the process go on.
func (o *Options) caught(err *error, stopped func(why string)) {
	p := recover()
	if p == nil {
		return
	}
	*err = fmt.Errorf("a fault of ours: %v; %s", p, untilRestart)
	o.Log.Error("shadow: a fault of ours", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	stopped((*err).Error())
	if o.Alarm != nil {
		o.Alarm("shadow_fault", *err)
	}
}

const untilRestart = "mirroring has stopped until the edge is started again"
