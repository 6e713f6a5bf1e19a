package config

import "time"

// Defaults is the configuration before any file is read. What has no sensible default (node, listen, platforms, keys)
// is empty and Validate asks for it.
func Defaults() Config {
	return Config{
		Store:       "file:///var/lib/hotcut/policy",
		State:       "/var/lib/hotcut",
		Media:       Media{Engine: "none", Ports: "20000-39999", Interfaces: []string{"outside", "inside"}, Wait: 400 * time.Millisecond},
		Admin:       Admin{Socket: "/run/hotcut/edge.sock"},
		Scanners:    []string{"friendly-scanner", "sipvicious", "sipcli", "sip-scan", "sipscan", "sundayddr", "vaxsipuseragent", "pplsip", "iwar"},
		BootDefault: "none",
		Log:         Log{Level: "info", Format: "json"},
		Timers: Timers{
			T1:    500 * time.Millisecond,
			T2:    4 * time.Second,
			T4:    5 * time.Second,
			C:     210 * time.Second,
			Probe: 10 * time.Second,
			Drain: time.Hour,

			Keepalive: 25 * time.Second,
		},
		Limits: Limits{
			Message:       64 << 10,
			HeaderSection: 32 << 10,
			Headers:       128,
			CallID:        256,
			Branch:        256,
			Tag:           256,
			URI:           1024,

			Connections:          4096,
			ConnectionsPerSource: 64,

			Sources:     65536,
			SourceRate:  20,
			SourceBurst: 60,
			ExemptRate:  40,
			ExemptBurst: 120,
			KnownRate:   20_000,
			KnownBurst:  40_000,

			Wait: 40 * time.Millisecond,

			Transactions:    1 << 18,
			Choices:         1 << 17,
			Dialogs:         1 << 17,
			Bindings:        1 << 17,
			CallRecords:     100_000,
			CallRecordBytes: 256 << 20,
		},
	}
}
