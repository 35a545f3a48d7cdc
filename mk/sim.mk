# The deterministic simulation of ledger-writer (tests/sim): one process, no
# Kafka, no PostgreSQL. The service's own objects are linked; the twins stand
# before the members of the archives below them, and before what is --wrapped.

HISTORIES ?=
FIRST ?=
BUG ?=
TRACE ?=
export HISTORIES FIRST BUG TRACE

SIM_MAIN := tests/sim/main.c tests/sim/test_sim.c
SIM_SRC := $(filter-out $(SIM_MAIN),$(wildcard tests/sim/*.c))
SIM_WRAP := poll ch_rng_seed_system sweep_init sweep_owners load_is_good \
	order_rules_fill batch_rows_rejected trade_rules_record
SIM_PROGRAM := $(OUT)/sim/sim
SIM_TEST := $(OUT)/tests/sim/test_sim
# an optimised flavour, unless another one than debug was asked for
SIM_BUILD := $(if $(filter debug,$(BUILD)),release,$(BUILD))

$(call obj,$(SIM_SRC) $(SIM_MAIN)): CPPFLAGS += -Itests/sim -Itests/support -Itests/property -Iservices/ledger-writer
$(call obj,$(SIM_SRC) $(SIM_MAIN)): | $(ledger-writer.gen)

sim-objects = $(call obj,$(1) $(SIM_SRC))
sim-archives := $(call lib,ledger-writer) $(PROPERTY_A) $(call lib,ch_test) $(LAYER_A)
sim-link = @mkdir -p $(@D) && $(if $(V),,echo "  LD   $@" &&) $(CC) $(LINK_FLAVOUR) -pthread -o $@ \
	$(filter %.o,$^) $(addprefix -Wl$(comma)--wrap=,$(SIM_WRAP)) \
	-Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(1) -ljansson $(IO_LIBS)
comma := ,

$(SIM_PROGRAM): $(call sim-objects,tests/sim/main.c) $(sim-archives)
	$(call sim-link)
$(SIM_TEST): $(call sim-objects,tests/sim/test_sim.c) $(sim-archives)
	$(call sim-link,$(CHECK_LIBS))

.PHONY: sim sim-test sim-build

check-build: sim-build

sim-build: $(SIM_PROGRAM) $(SIM_TEST)

sim: ## histories of ledger-writer with crashes, zombies, rebalances; ends with the rate as JSON (SEED= HISTORIES= FIRST= BUG= TRACE=)
	@$(MAKE) --no-print-directory BUILD=$(SIM_BUILD) sim-build
	@$(call out-of,$(SIM_BUILD))/sim/sim

sim-test: ## the same, counted: thousands without a fault, and each mistake of bug.h found (SEED=)
	@$(MAKE) --no-print-directory BUILD=$(SIM_BUILD) sim-build
	@OUT=$(call out-of,$(SIM_BUILD)) tests/run sim $(if $(T),"$(T)")
