// Package node is a media relay of its own machine: an engine, a relay over it, and a server of the NG protocol by which
// a proxy commands them. `hotcut media` runs one.
//
// It promises: any proxy that speaks NG can have its calls relayed. An offer opens a pass of a call or goes on with it, an
// answer belongs to the pass whose offer it answers, a delete ends what it names and nothing else. A node that is killed
// and started again has the same ports for the same calls (media.Options.State), and knows whose they are.
//
// It refuses to know proxies' users. What its relay does not do, it does not pretend to: it translates no transport
// protocol, splits no rtcp-mux and generates no ICE credentials. A command that asks for such a thing is carried out
// without it, and the answer has a "warning".
//
// Reading order: node.go, passes.go (which call is meant), commands.go, report.go.
//
// # Passes
//
// One Call-ID may cross the relay more than once, when a proxying platform sends a call back. The passes of a call are told
// apart by the via-branch or, where there is none, the label of their first offer; a later command of the dialog, which has
// another branch, is known by its tags, and belongs to the newest of them if that is not enough. A proxy that wants more
// says the same via-branch each time.
//
// # Sides
//
// "direction" names the interface of the party that speaks and that of the other one, by the names of Config.Names. Without
// it the calling party is outside, unless its signalling comes from one of media.Options.MediaNets.
package node
