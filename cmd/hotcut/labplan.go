package main

import (
	"time"

	"github.com/hotcut/hotcut/proxy/lab"
)

// labPlan is what every switch of the lab does with the calls of its tenants, besides ringing who is called. The users are
// cedar's, whose calls are copied.
var labPlan = map[string]lab.Treatment{
	"01":    {Dials: "cyril"},
	"away":  {Forward: "cyril"},
	"team":  {Hunt: []string{"cyril", "carol"}, Rings: 2 * time.Second},
	"voice": {Mailbox: true},
}
