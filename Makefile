# The targets of kaf6. `make help` lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: demo test truth lint lab bench help

demo: ## Build kaf6 and run examples/smoke.yaml on the embedded broker (no setup, no network)
	@scripts/preflight
	@cargo run --locked -- run examples/smoke.yaml --embedded

test: ## Install the lab (real brokers), then run the linters and all tests
	@scripts/preflight
	@scripts/lab
	@scripts/lint
	@scripts/test

truth: ## Compare verdicts with an oracle on random scenarios and misbehaving brokers, for KAF6_TRUTH_SECONDS (600)
	@scripts/preflight
	@KAF6_TRUTH_SECONDS=$${KAF6_TRUTH_SECONDS:-600} cargo test --locked --test truth random_pairs -- --nocapture

lint: ## Check format, clippy, licenses, docs, shell scripts and workflows
	@scripts/preflight
	@scripts/lint

bench: ## Compare with rdkafka_performance and, with Java, Kafka's own tools (about 20 minutes)
	@scripts/preflight
	@scripts/lab
	@scripts/bench

lab: ## Install brokers and tools for end-to-end tests under target/lab
	@scripts/lab

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-6s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
