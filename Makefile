# What a developer does here. `make` alone lists it.
.DEFAULT_GOAL := help
.PHONY: help services browser up down demo test quick fuzz fuzz-keep mutants sim sim-campaign storm storm-full storm-recovery fmt lint lint-openapi doc deny ci bench bench-document bench-growth bench-batching bench-browse bench-search bench-micro

CARGO ?= cargo

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | awk -F'\t' '{ printf "  %-16s %s\n", $$1, $$2 }'

services: # Install MariaDB, RabbitMQ and Redis from Debian packages if missing
	@sh deploy/install-services.sh

browser: # Install Debian's Chromium and what drives it if missing
	@sh deploy/install-browser.sh

# What `make up` starts and `make down` stops with; built together, since alone each would have its dependencies built anew.
STACK = $(CARGO) build --release --bin baton -p baton -p baton-supervisor --bin baton-supervisor

# COURIER=grpc does without the broker.
COURIER ?= rabbitmq

up: services ## Start private MariaDB, RabbitMQ, Redis, two orchestrators and every participant (state in .local)
	$(STACK)
	target/release/baton-supervisor up --dir .local --courier $(COURIER)

down: ## Stop what `make up` started
	@test -x target/release/baton-supervisor || $(STACK)
	target/release/baton-supervisor down --dir .local

demo: ## 1,000 concurrent orders for 800 units in one process, then the audit
	$(CARGO) run --release --bin baton -- demo

# The features of a storm's binaries, so that one build of the workspace serves tests, simulator and storm.
TESTED = --workspace --locked --features baton-lab/crash-points
# The build of the tests leaves it there.
SERVE = $${CARGO_TARGET_DIR:-target}/debug/baton-supervisor serve

test: services browser ## Run every test; those that need servers share private ones
	$(CARGO) test $(TESTED) --no-run
	$(SERVE) $(CARGO) test $(TESTED)

quick: ## Run the tests that need no servers, after a build in less than a minute
	$(CARGO) test $(TESTED) --lib --bins -- --skip acts::tests

# How long each target of `make fuzz` runs, which ones, and the files it may invent.
SECONDS ?= 20
TARGETS ?= $(notdir $(wildcard lab/fuzz/corpus/*))
# cargo-fuzz asks for a nightly compiler's flags; RUSTC_BOOTSTRAP lets the stable one take them. No sanitizer: Baton has no
# unsafe code of its own.
FUZZ = RUSTC_BOOTSTRAP=1 $(CARGO) fuzz
FUZZ_OPTIONS = --fuzz-dir lab/fuzz --sanitizer none --codegen-units 16

fuzz: ## Run every fuzz target for SECONDS (20); findings land in lab/fuzz/artifacts
	@command -v cargo-fuzz >/dev/null 2>&1 || $(CARGO) install cargo-fuzz --locked
	@$(FUZZ) build $(FUZZ_OPTIONS)
	@mkdir -p lab/fuzz/found; for target in $(TARGETS); do mkdir -p lab/fuzz/found/$$target; \
		$(FUZZ) run $(FUZZ_OPTIONS) $$target lab/fuzz/found/$$target lab/fuzz/corpus/$$target -- \
			-max_total_time=$(SECONDS) -max_len=4096 -print_final_stats=1 -verbosity=0 || exit 1; done

fuzz-keep: ## Add to the committed corpus what `make fuzz` found to reach code that it does not reach yet
	@for target in $(TARGETS); do mkdir -p lab/fuzz/found/$$target; \
		$(FUZZ) run $(FUZZ_OPTIONS) $$target lab/fuzz/corpus/$$target lab/fuzz/found/$$target -- \
			-merge=1 -use_counters=0 -max_len=1024 -verbosity=0 || exit 1; done

mutants: ## Mutate saga-core and the participants' kit, and see whether their tests notice; takes hours
	@command -v cargo-mutants >/dev/null 2>&1 || $(CARGO) install cargo-mutants --locked
	$(CARGO) mutants --package saga-core --package baton-participant-kit --timeout 300

# What simulates and storms, and the binary that a storm runs, with the crash points that only a storm arms. With BUILT=debug
# what `make test` has built is taken as it is.
BUILT ?= release
ifeq ($(BUILT),release)
# Not `baton-lab/crash-points`, which cargo ignores for chosen packages of which one depends on the other for its tests.
LAB = $(CARGO) build --release -p baton -p baton-lab --bins --features crash-points
else
LAB = @test -x target/$(BUILT)/baton-lab || { echo "target/$(BUILT)/baton-lab is not built: run make test first"; exit 1; }
endif

SEEDS ?= 10000
sim: ## Simulate SEEDS (10,000) seeds with faults, then try every crash at every step of the order saga
	$(LAB)
	target/$(BUILT)/baton-lab sim --seeds 0..$(SEEDS)
	target/$(BUILT)/baton-lab check order

sim-campaign: ## Simulate FROM..TO and append the totals to docs/sim-campaign.csv
	BATON_COMMIT=$$(git rev-parse --short=10 HEAD)$$(git diff --quiet HEAD -- . ':!docs/sim-campaign.csv' || echo -dirty) $(LAB)
	target/$(BUILT)/baton-lab sim --seeds $(FROM)..$(TO) --record docs/sim-campaign.csv

fmt: ## Format
	$(CARGO) fmt --all

lint: ## Formatting and clippy, warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

lint-openapi: ## Lint docs/openapi.json with spectral (needs npm)
	cd console/lint && npm ci --no-audit --no-fund --ignore-scripts && npx spectral lint --fail-severity hint -r .spectral.yaml ../../docs/openapi.json

doc: ## Documentation, warnings are errors
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked

# It reads what every platform would need, which a build on one of them has not fetched.
deny: ## Licences, bans and sources; skipped if cargo-deny is not installed
	@if command -v cargo-deny >/dev/null 2>&1; then \
		$(CARGO) fetch --locked --quiet && cargo-deny --offline check bans licenses sources; \
	else echo "cargo-deny is not installed: skipped"; fi

ci: ## What CI runs
	bash .ci/run

# Where tables, JSON and pictures of measurements go.
OUT ?= target/bench
BENCH = $(CARGO) build --release -p baton -p baton-bench -p baton-document --bins

bench: services ## Every workload, both shapes, bad weather; a table against the targets and pictures in OUT (10 minutes)
	$(BENCH)
	target/release/baton-bench all --out $(OUT)

bench-document: services ## The designs Baton grew out of beside Baton: time, cost, and what is left after kills (5 minutes)
	$(BENCH)
	target/release/baton-bench document --out $(OUT)

bench-growth: services ## Sagas per second from an empty table to a million finished sagas
	$(BENCH)
	target/release/baton-bench growth --out $(OUT)

bench-browse: services ## Orders at 2,000 a second while operators look at the page and at lists
	$(BENCH)
	target/release/baton-bench browse

bench-search: services ## Operators' questions to a million sagas, on both stores
	$(CARGO) build --release -p baton-bench --bins
	target/release/baton-bench search

bench-jmeter: ## JMeter: 1,000 threads buy one item at the HTTP door of what `make up` started
	benches/jmeter/run.sh

bench-micro: services ## Measure the parts alone: machine, codec, rows, commits, buses
	$(CARGO) bench -p baton-bench --bench micro

bench-batching: services ## Measure what batching is worth; ends with `batching ratio N.N`
	$(CARGO) build --release -p baton -p baton-bench --bins
	target/release/baton-bench batching

storm: services ## 12 nemeses of 45 s on real processes, an audit after each; reports in storm.html and storm-grpc.html
	$(LAB)
	target/$(BUILT)/baton-lab storm --ci --report storm.html
	target/$(BUILT)/baton-lab storm --ci --courier grpc --report storm-grpc.html

storm-full: services ## Every kind of nemesis, 180 s each, over COURIER: three to four hours; report in storm-full.html, rewritten after each
	$(LAB)
	target/$(BUILT)/baton-lab storm --full --courier $(COURIER) --report storm-full.html

storm-recovery: services ## How fast what was killed moves again
	$(LAB)
	target/$(BUILT)/baton-lab storm --recovery
