# Tests. Each tests/unit/**/test_*.c and tests/property/test_*.c is one check
# binary; tests/integration and tests/fault are pytest on a real Kafka and a
# real PostgreSQL. `make test` runs all of it and ends with one counting line.

T ?=
SEED ?=
COMMANDS ?=
ROUNDS ?=
export SEED COMMANDS ROUNDS

UNIT_SRC := $(shell find tests/unit -name 'test_*.c' 2>/dev/null | sort)
PROPERTY_TEST_SRC := $(sort $(wildcard tests/property/test_*.c))
CHECK_IT_SRC := $(shell find tests/integration -name 'it_*.c' 2>/dev/null | sort)
CHECK_SRC := $(UNIT_SRC) $(PROPERTY_TEST_SRC) $(CHECK_IT_SRC)
check-bin = $(patsubst tests/%.c,$(OUT)/tests/%,$(1))
CHECK_LIBS := -lcheck_pic -lsubunit -lm -lrt -ljansson

# tests/unit/ledger-writer/x.c includes the headers of services/ledger-writer
svc-of = $(firstword $(filter $(SERVICES),$(subst /, ,$(1))))
define check-rule
$$(call obj,$(1)): CPPFLAGS += -Itests/support -Itests/property $$(if $$(call svc-of,$(1)),-Iservices/$$(call svc-of,$(1)),$$(foreach s,$(SERVICES),-Iservices/$$(s)))
$$(call obj,$(1)): | $$(foreach s,$$(HAVE_SERVICES),$$(if $$($$(s).sql),$$($$(s).gen)))
$$(call obj,$(1)): WARN := $$(filter-out -Wstack-usage=% -Wnull-dereference,$$(WARN))
$(call check-bin,$(1)): $$(call obj,$(1)) $$(call lib,ch_test) $$(PROPERTY_A) $$(if $$(call svc-of,$(1)),$$(call lib,$$(call svc-of,$(1))),$$(PURE_LIBS)) $$(LAYER_A)
	@mkdir -p $$(@D)
	$$(if $$(V),,@echo "  LD   $$@";) $$(CC) $$(LINK_FLAVOUR) -pthread -o $$@ $$< -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $(CHECK_LIBS) $(IO_LIBS)
endef
$(foreach t,$(CHECK_SRC),$(eval $(call check-rule,$(t))))

# Fuzz targets: libFuzzer with our libraries built for it (BUILD=fuzz, clang).
# Which service each belongs to; none: common/base alone.
FUZZ_SERVICE.answer := outbox-relay
FUZZ_SERVICE.command := ledger-writer
FUZZ_SERVICE.dialect := outbox-relay
FUZZ_SERVICE.filter := outbox-relay
FUZZ_SERVICE.frame := trade-stream
FUZZ_SERVICE.json :=
FUZZ_SERVICE.pgoutput := outbox-relay
FUZZ_SERVICE.prices := price-cache
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
define fuzz-rule
$(1).svc := $$(FUZZ_SERVICE.$$(patsubst fuzz_%,%,$$(notdir $$(basename $(1)))))
$$(call obj,$(1)): CPPFLAGS += -Itests/support $$(if $$($(1).svc),-Iservices/$$($(1).svc))
$(call check-bin,$(1)): $$(call obj,$(1)) $$(if $$($(1).svc),$$(call lib,$$($(1).svc))) $$(LAYER_A)
	@mkdir -p $$(@D)
	$$(if $$(V),,@echo "  LD   $$@";) $$(CC) -fsanitize=fuzzer,address,undefined -pthread -o $$@ $$^ $(IO_LIBS)
endef
ifeq ($(BUILD),fuzz)
$(foreach t,$(FUZZ_SRC),$(eval $(call fuzz-rule,$(t))))
endif

.PHONY: test check property mutants fault integration compat bench fuzz fuzz-build cov \
	check-build

check-build: $(call check-bin,$(CHECK_SRC))

check: all $(call check-bin,$(UNIT_SRC)) ## unit tests (T=name runs one)
	@OUT=$(OUT) tests/run check $(if $(T),"$(T)")

property: $(call check-bin,$(PROPERTY_TEST_SRC)) ## seeded random tests against naive models (SEED= COMMANDS=)
	@OUT=$(OUT) tests/run property $(if $(T),"$(T)")

mutants: ## one rule broken at a time, which the property test must find (COMMANDS= SEED= T=rates.c)
	@tests/property/mutants.sh "$(or $(COMMANDS),16000)" $(T)

integration: all $(call check-bin,$(CHECK_IT_SRC)) ## tests on a real Kafka and PostgreSQL (T=name runs one)
	@OUT=$(OUT) tests/run integration $(if $(T),"$(T)")

# Not part of `make test`: it downloads Debezium (30 MB) the first time.
compat: all ## the real Debezium and the relay on the same transactions, byte for byte (T=name, SEED=)
	@OUT=$(OUT) tests/run compat $(if $(T),"$(T)")

fault: ## kill tests, and chaos around the relay (SEED= ROUNDS=; T=chaos: FAULTS="name ...")
	@$(MAKE) --no-print-directory BUILD=failpoints all
	@OUT=build/failpoints tests/run fault $(if $(T),"$(T)")

test: ## everything: installs what is missing, builds, tests, counts
	@tests/run-all

bench: ## figures beside naive and the physical limit (B=ledger|ledger-scale|relay|relay-memory)
	@$(MAKE) --no-print-directory BUILD=release all >&2
	@OUT=build/release tests/bench/run $(B)

fuzz-build: $(call check-bin,$(FUZZ_SRC))

fuzz: ## libFuzzer over every decoder (FUZZ_SECONDS=60 each, T=name)
	@$(MAKE) --no-print-directory BUILD=fuzz CC=clang fuzz-build
	@OUT=$(call out-of,fuzz) tests/fuzz/run $(T)

cov: ## line coverage of the pure modules (COV_FLOOR=85)
	@find $(call out-of,cov) -name '*.gcda' -delete 2>/dev/null || true
	@$(MAKE) --no-print-directory BUILD=cov check property COMMANDS=5000
	@tests/lint/coverage.sh $(call out-of,cov)
