package config

import _ "embed"

// Example is a configuration with every key that this build knows, its default and a word on what it does: what
// documentation shows and `hotcut edge --check` may point to. It is valid on a machine with its key file.
//
//go:embed edge.yaml
var Example string
