package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/hotcut/hotcut/migration"
)

// readDocument reads a file of JSON or YAML and returns it as JSON.
func readDocument(name string) ([]byte, error) {
	b, err := readInput(name)
	if err != nil {
		return nil, err
	}
	if trimmed := bytes.TrimSpace(b); json.Valid(trimmed) && len(trimmed) > 0 {
		return trimmed, nil
	}
	var v any
	if err := yaml.Unmarshal(b, &v); err != nil {
		return nil, fmt.Errorf("%s is neither JSON nor YAML: %w", fileName(name), err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", fileName(name), err)
	}
	return out, nil
}

// readRecord reads the fields of one tenant.
func readRecord(name string) (migration.Fields, error) {
	b, err := readDocument(name)
	if err != nil {
		return nil, err
	}
	var f migration.Fields
	if err := json.Unmarshal(b, &f); err != nil || f == nil {
		return nil, fmt.Errorf("%s does not hold one tenant's fields", fileName(name))
	}
	return f, nil
}

// fileName names a file in an error.
func fileName(name string) string {
	if name == "-" {
		return "stdin"
	}
	return name
}

// readRecords reads a list of tenants: a JSON or YAML list, or a JSON object per line.
func readRecords(name string) ([]migration.Fields, error) {
	raw, err := readInput(name)
	if err != nil {
		return nil, err
	}
	return recordsOf(name, raw)
}

// recordsOf is readRecords of what a file holds.
func recordsOf(name string, raw []byte) ([]migration.Fields, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) > 0 && raw[0] == '{' {
		return jsonLines(name, raw)
	}
	if !json.Valid(raw) {
		var v any
		if err := yaml.Unmarshal(raw, &v); err != nil {
			return nil, fmt.Errorf("%s is neither JSON, JSON lines nor YAML: %w", fileName(name), err)
		}
		var err error
		if raw, err = json.Marshal(v); err != nil {
			return nil, fmt.Errorf("%s: %w", fileName(name), err)
		}
	}
	var list []migration.Fields
	if err := json.Unmarshal(raw, &list); err != nil || list == nil {
		return nil, fmt.Errorf("%s does not hold a list of tenants", fileName(name))
	}
	return list, nil
}

func jsonLines(name string, raw []byte) ([]migration.Fields, error) {
	var list []migration.Fields
	dec := json.NewDecoder(bytes.NewReader(raw))
	for dec.More() {
		var f migration.Fields
		if err := dec.Decode(&f); err != nil {
			return nil, fmt.Errorf("%s: record %d: %w", fileName(name), len(list)+1, err)
		}
		list = append(list, f)
	}
	return list, nil
}
