package lab

import (
	"testing"

	"github.com/redis/go-redis/v9"
)

func TestRedisComesBack(t *testing.T) {
	r, err := StartRedis()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	o, err := redis.ParseURL(r.URL())
	if err != nil {
		t.Fatal(err)
	}
	o.MaxRetries = -1
	c := redis.NewClient(o)
	t.Cleanup(func() { c.Close() })
	ctx := t.Context()
	if err := c.Set(ctx, "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	r.Stop()
	if err := c.Get(ctx, "k").Err(); err == nil {
		t.Fatal("a stopped Redis answered")
	}
	if err := r.Restart(false); err != nil {
		t.Fatal(err)
	}
	if err := r.Restart(false); err == nil {
		t.Error("a running Redis was restarted")
	}
	if v, err := c.Get(ctx, "k").Result(); err != nil || v != "v" {
		t.Errorf("after a restart: %q, %v", v, err)
	}
	r.Stop()
	if err := r.Restart(true); err != nil {
		t.Fatal(err)
	}
	if err := c.Get(ctx, "k").Err(); err != redis.Nil {
		t.Errorf("an emptied Redis answered %v", err)
	}
}
