package config

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Lines maps the path of every key of a YAML file ("listen[0].address", lower case) to its line.
func Lines(file []byte) (map[string]int, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(file, &doc); err != nil {
		return nil, err
	}
	lines := make(map[string]int)
	for _, n := range doc.Content {
		walkLines(lines, "", n)
	}
	return lines, nil
}

// walkLines does not follow aliases, so a file can not make it visit more nodes than the file has.
func walkLines(lines map[string]int, path string, n *yaml.Node) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			p := strings.TrimPrefix(path+"."+strings.ToLower(n.Content[i].Value), ".")
			lines[p] = n.Content[i].Line
			walkLines(lines, p, n.Content[i+1])
		}
	case yaml.SequenceNode:
		for i, c := range n.Content {
			p := fmt.Sprintf("%s[%d]", path, i)
			lines[p] = c.Line
			walkLines(lines, p, c)
		}
	}
}

// ParseYAML reads a file over Defaults and judges it: every fault at once, with its line. The Config is returned even
// with faults; it then holds what could be read.
func ParseYAML(file []byte) (*Config, error) {
	lines, err := Lines(file)
	if err != nil {
		return nil, fmt.Errorf("not YAML: %w", err)
	}
	settings := map[string]any{}
	if err := yaml.Unmarshal(file, &settings); err != nil {
		return nil, fmt.Errorf("not YAML: %w", err)
	}
	c, derr := Decode(settings)
	return c, WithLines(merge(derr, c.Validate()), lines)
}

// merge joins the faults of Decode and Validate; of two about one path only the first stands, since what could not
// be read is often missing as well.
func merge(first, second error) error {
	faults := Faults(first)
	seen := make(map[string]bool)
	for _, f := range faults {
		seen[f.Path] = true
	}
	for _, f := range Faults(second) {
		if !seen[f.Path] {
			faults = append(faults, f)
		}
	}
	return join(faults)
}
