// Package config is the configuration of one edge: what it listens on, which platforms and carriers it stands between,
// what it may use up.
//
// It promises to name every fault of a file at once, each with its path, its line and what to write instead; to refuse
// an unknown key naming the nearest known one; and to refuse what this build can not do rather than to read it and do
// nothing. Decode fills a Config, Validate judges it, Resolve turns its words into addresses.
//
// It refuses to ask the network anything (targets and carriers are numeric addresses) and it knows no viper: whoever
// merges files, environment and flags hands over a map.
//
// # Decisions
//
// HOTCUT_KEYS is both the environment form of the key `keys` (a path) and, by the design, a way to hand over the keys
// themselves. A value with white space in it that is no file's name is taken as keys ("KID BASE64-OF-32-BYTES"), anything
// else as a path.
//
// A target over TCP needs an inside listener over TCP: the edge must say in its Via where a platform reaches it when
// a connection breaks, and that is a listener.
//
// Two platforms may share an address only if their sources differ by port, or if each names its own inside listeners
// (`platforms.X.listeners`): else a request from that address would belong to either.
package config
