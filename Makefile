# countinghouse: `make help` lists what there is to type.
#
# BUILD=debug|release|asan|tsan|cov|fuzz|failpoints chooses the flavour; each has a
# folder of its own below build/. CC=clang builds with clang.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

BUILD ?= debug
export CH_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/countinghouse
DEPS := $(CH_CACHE)/deps
out-of = $(if $(BUILD_DIR),$(BUILD_DIR)/,build/)$(1)
OUT ?= $(call out-of,$(BUILD))
SERVICES := trade-stream ledger-writer outbox-relay reconciler price-cache

include mk/flags.mk
include mk/rules.mk
include mk/tests.mk
include mk/sim.mk
include mk/lint.mk

.PHONY: all help deps run clean clean-run up down

all: $(ALL_PROGRAMS) ## build the five daemons and the tools

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' \
		$(MAKEFILE_LIST)
	@echo "  BUILD=$(BUILD) (debug release asan tsan cov fuzz failpoints), T=<test>, SEED=, COMMANDS=, ROUNDS=, SECONDS="

deps: ## install packages, build librdkafka and libwebsockets, fetch Kafka (cached)
	@deploy/local/deps.sh

run: ## the whole fleet with a demo load and a live dashboard (SECONDS=60 ends by itself)
	@SECONDS_TO_RUN="$(if $(filter environment command,$(origin SECONDS)),$(SECONDS),)" deploy/local/run.sh

up: ## only Kafka and PostgreSQL, topics made and schema migrated
	@deploy/local/up.sh

down: ## stop what `make up` started
	@deploy/local/down.sh

clean-run: ## stop the local fleet and remove .local/
	@deploy/local/down.sh --clean

clean: ## remove build/
	rm -rf build
