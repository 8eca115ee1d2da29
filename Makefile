# kaf6: `make demo` shows it, `make test` proves it, `make help` lists the rest.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: demo test truth lint lab bench help

demo: ## Build kaf6 and run examples/smoke.yaml on the embedded broker: no install, no network
	@scripts/preflight
	@cargo run --locked -- run examples/smoke.yaml --embedded

test: ## Set up the lab (real brokers), then lint and run every test
	@scripts/preflight
	@scripts/lab
	@scripts/lint
	@scripts/test

truth: ## Random scenarios against a broker that lies, for KAF6_TRUTH_SECONDS (600): is every verdict right?
	@scripts/preflight
	@KAF6_TRUTH_SECONDS=$${KAF6_TRUTH_SECONDS:-600} cargo test --locked --test truth random_pairs -- --nocapture

lint: ## Format, clippy, licences, docs, shell scripts
	@scripts/preflight
	@scripts/lint

bench: ## Ratios against rdkafka_performance and, where Java is there, Kafka's own tools (some minutes)
	@scripts/preflight
	@scripts/lab
	@scripts/bench

lab: ## Set up under target/lab what the end-to-end tests run against
	@scripts/lab

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-6s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
