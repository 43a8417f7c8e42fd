# What people and CI type. Works as root and as a user with sudo, twice in a row, and asks nothing.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test browser canary torture contract kms webhooks webhooks schemathesis clients fuzz lint api-lint audit sbom fmt bench openapi clean-data ground

CARGO ?= cargo
export CARGO_TERM_PROGRESS_WHEN ?= never

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ground ## build, start everything with demonstration data, and serve until Ctrl-C
	$(CARGO) build
	# The one line that says what `make run` runs; ONCE=1 ends after the demonstration.
	./target/debug/landfall serve --demo $(if $(ONCE),--once)

test: ground ## all tests: unit, integration on a real PostgreSQL, documentation
	@CARGO="$(CARGO)" tools/test

browser: ground ## drive the dashboard in Debian's Chromium (PICTURES=1 draws docs/images anew)
	@CARGO="$(CARGO)" PICTURES="$(PICTURES)" tools/browser

canary: ground ## run the whole suite at TRACE and search what it leaves for card numbers and secrets (FILTER='test(cards)' KEEP=1)
	@CARGO="$(CARGO)" tools/canary

torture: ground ## the long torture: seeds, every failpoint, kills (SEEDS=1000 KILLS=800 PG_KILLS=20 MATRIX=all LANES=3)
	@CARGO="$(CARGO)" SEEDS="$(SEEDS)" KILLS="$(KILLS)" PG_KILLS="$(PG_KILLS)" MATRIX="$(MATRIX)" LANES="$(LANES)" FROM="$(FROM)" tools/torture

contract: ## judge the adapters' requests by the providers' specifications (SPECS=../shared/specs)
	@CARGO="$(CARGO)" SPECS="$(SPECS)" tools/contract

kms: ## keep the key providers' contract over moto's KMS, from PyPI
	@CARGO="$(CARGO)" tools/kms

schemathesis: ground ## ask the running server what openapi.yaml allows and what it doesn't (EXAMPLES=100 SEED=7 ONLY=Card PHASES=stateful)
	@CARGO="$(CARGO)" EXAMPLES="$(EXAMPLES)" SEED="$(SEED)" ONLY="$(ONLY)" PHASES="$(PHASES)" tools/schemathesis

clients: ground ## generate clients of openapi.yaml, compile them, and pay with them
	@CARGO="$(CARGO)" tools/clients

webhooks: ## have the published verifiers of Standard Webhooks receive what is sent
	@CARGO="$(CARGO)" tools/webhooks

fuzz: ## every parser of outside bytes under libFuzzer (SECS=60 each, TARGETS=all)
	@CARGO="$(CARGO)" SECS="$(SECS)" TARGETS="$(TARGETS)" tools/fuzz

lint: ## formatting, clippy, and the dependency checks that are installed
	@CARGO="$(CARGO)" tools/lint

api-lint: ## judge openapi.yaml by all that Redocly recommends
	@tools/api-lint

audit: ## what comes in from outside: licences, sources, doubles, known vulnerabilities (ends with 3 where it can't look)
	@CARGO="$(CARGO)" tools/audit

sbom: ## write the bill of materials, CycloneDX, to target/sbom
	@CARGO="$(CARGO)" tools/sbom

fmt: ## format the code
	$(CARGO) fmt --all

bench: ground ## payouts a second end to end, the wallet's and the gateway's, beside PostgreSQL's own TPC-B (release build)
	$(CARGO) build --release
	./target/release/landfall bench

clean-data: ## remove the private database and the development keys (asks nothing)
	@tools/clean-data

ground: # what the machine must have: a C compiler, PostgreSQL's programs, certificates
	@tools/ground

openapi: ## write openapi.yaml and docs/errors.md anew from the code
	UPDATE=1 $(CARGO) test --lib http::
