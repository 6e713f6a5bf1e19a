package shadow

import (
	"testing"
	"time"
)

// A leg that found no room may be anybody's rival: until it is too old for that, nobody is alone.
func TestLegsWithoutRoomAreNotForgotten(t *testing.T) {
	var y lately
	at := int64(time.Hour)
	for range maxLately + 1 {
		y.live(&liveLeg{dest: "1001", caller: "1002", began: at})
	}
	at += int64(4500 * time.Millisecond)
	y.forget(at - int64(remembered))
	if y.count != 0 {
		t.Fatalf("%d legs are remembered", y.count)
	}
	pair := func(at int64) (*twin, *liveLeg) {
		return &twin{dest: "2001", caller: "2002", began: at}, &liveLeg{dest: "2001", caller: "2002", began: at}
	}
	y.full = at - int64(nearby)
	if tw, l := pair(at); y.alone(tw, l) {
		t.Error("alone a second after legs found no room")
	}
	if tw, l := pair(at + int64(2*nearby)); !y.alone(tw, l) {
		t.Error("not alone three seconds after")
	}
}
