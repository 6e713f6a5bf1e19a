# Hotcut. `make` alone lists what there is to do.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

FUZZTIME ?= 1m# for each fuzz target
SOAKTIME ?= 30m# for each fuzz target of the soak
BENCH ?= .#   which benchmarks
SEEDS ?= 10000# of the simulator

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## bin/hotcut, one static binary
	CGO_ENABLED=0 go build -trimpath -o bin/hotcut ./cmd/hotcut

.PHONY: demo
demo: build ## watch tenants move and come back, on this machine, in under a minute
	bin/hotcut lab

.PHONY: test
test: peers lint ## everything: linters, unit tests, race detector, tests against real Redis, SIPp and Kamailio
	go test ./...
	go test -race -timeout 10m ./...
	go test -tags interop -timeout 15m ./...
	$(MAKE) sim

.PHONY: sim
sim: ## SEEDS seeds of the simulator (default 10,000; some three minutes on two cores)
	go test ./proxy -count 1 -timeout 30m -v -run '^TestSimulation$$' -seeds $(SEEDS)

.PHONY: race
race: ## unit tests under the race detector
	go test -race -timeout 10m ./...

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (default 1m)
	@go list ./... | while read -r pkg; do \
	  go test -list '^Fuzz' "$$pkg" | { grep '^Fuzz' || true; } | while read -r target; do \
	    echo "== $$pkg $$target $(FUZZTIME)"; \
	    go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$pkg" </dev/null; \
	  done; \
	done

.PHONY: soak
soak: peers ## what takes a day: 1,000 real kills, 10 million spoofed sources, every fault of a dark core, every fuzz target for SOAKTIME (default 30m)
	go test -tags 'interop soak' -count 1 -timeout 2h -v -run '^TestKilledBetweenAnyTwoMessages$$' ./cmd/hotcut/interop
	go test -tags 'interop soak' -count 1 -timeout 2h -v -run '^TestFaultsOfADarkCoreAreFound$$' ./cmd/hotcut
	go test -tags soak -count 1 -timeout 2h -v -run '^TestSpoofedSources$$' ./proxy
	$(MAKE) fuzz FUZZTIME=$(SOAKTIME)

.PHONY: bench
bench: peers ## Hotcut beside Kamailio and a blind forwarder, its relay beside rtpengine, live calls with and without copies: the tables that README quotes (35 to 50 minutes)
	go test -tags bench -count 1 -timeout 90m -v ./cmd/hotcut/bench

.PHONY: micro
micro: ## every micro-benchmark, or BENCH=REGEXP
	go test -run '^$$' -bench '$(BENCH)' -benchmem ./...

.PHONY: lint
lint: ## gofmt, go vet, staticcheck, govulncheck
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
	  if [ -n "$$unformatted" ]; then echo "not formatted (gofmt -w FILE):"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	go vet -tags interop ./...
	go vet -tags bench ./...
	go vet -tags 'interop soak' ./...
	go tool staticcheck -tags interop ./...
	@.ci/vulncheck

# What the interop tests talk to. gcc is what the race detector links with.
.PHONY: peers
peers:
	@.ci/peers
