# Objects, one static library a layer, one program a service. The link order
# daemon, io, base is the layering: a call upwards does not link.

LAYERS := base io daemon
layer-src = $(wildcard common/$(1)/*.c)
obj = $(patsubst %.c,$(OUT)/obj/%.o,$(1))
lib = $(OUT)/lib/lib$(1).a

$(OUT)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC   $<";) $(CC) $(CPPFLAGS) $(CFLAGS_ALL) -c $< -o $@

define layer-rule
$(call lib,ch_$(1)): $(call obj,$(call layer-src,$(1)))
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(if $$(V),,@echo "  AR   $$@";) ar rcs $$@ $$^
endef
$(foreach l,$(LAYERS),$(eval $(call layer-rule,$(l))))

BASE_A := $(call lib,ch_base)
LAYER_A := $(call lib,ch_daemon) $(call lib,ch_io) $(call lib,ch_base)

# SQL files become strings, and a console's page (services/<svc>/console/*) too: services/<svc>/sql/<name>.sql is
# <svc>_sql_<name> in <svc>_sql.h, dashes as underscores.
under = $(subst -,_,$(1))
define service-rule
$(1).sql := $(sort $(wildcard services/$(1)/sql/*.sql))
$(1).page := $(sort $(wildcard services/$(1)/console/*))
$(1).gen := $(OUT)/gen/$(call under,$(1))_sql.h $(if $(wildcard services/$(1)/console/*),$(OUT)/gen/$(call under,$(1))_page.h)
$(1).src := $(filter-out services/$(1)/main.c,$(wildcard services/$(1)/*.c))
$(OUT)/gen/$(call under,$(1))_sql.h: $$($(1).sql) mk/embed-sql.sh
	@mkdir -p $$(@D)
	@mk/embed-sql.sh $(call under,$(1)) $(OUT)/gen $$($(1).sql)
$(OUT)/gen/$(call under,$(1))_sql.c: $(OUT)/gen/$(call under,$(1))_sql.h ;
$(OUT)/gen/$(call under,$(1))_page.h: $$($(1).page) mk/embed-page.sh
	@mkdir -p $$(@D)
	@mk/embed-page.sh $(call under,$(1)) $(OUT)/gen $$($(1).page)
$(OUT)/gen/$(call under,$(1))_page.c: $(OUT)/gen/$(call under,$(1))_page.h ;
$(OUT)/obj/gen/$(call under,$(1))_page.o: $(OUT)/gen/$(call under,$(1))_page.c
	@mkdir -p $$(@D)
	@$$(CC) $$(CPPFLAGS) $$(CFLAGS_ALL) -c $$< -o $$@
$(OUT)/obj/gen/$(call under,$(1))_sql.o: $(OUT)/gen/$(call under,$(1))_sql.c
	@mkdir -p $$(@D)
	@$$(CC) $$(CPPFLAGS) $$(CFLAGS_ALL) -c $$< -o $$@
$$(call obj,$$($(1).src) services/$(1)/main.c): CPPFLAGS += -Iservices/$(1)
$$(call obj,$$($(1).src) services/$(1)/main.c): | $$(if $$($(1).sql),$$($(1).gen))
$(call lib,$(1)): $$(call obj,$$($(1).src)) $$(if $$($(1).sql),$(OUT)/obj/gen/$(call under,$(1))_sql.o) $$(if $$($(1).page),$(OUT)/obj/gen/$(call under,$(1))_page.o)
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(if $$(V),,@echo "  AR   $$@";) ar rcs $$@ $$^
$(OUT)/bin/$(1): $$(call obj,services/$(1)/main.c) $(call lib,$(1)) $(LAYER_A)
	@mkdir -p $$(@D)
	$$(if $$(V),,@echo "  LD   $$@";) $$(CC) $$(LINK_FLAVOUR) -pthread -o $$@ $$^ $(IO_LIBS)
endef
$(foreach s,$(SERVICES),$(if $(wildcard services/$(s)/main.c),$(eval $(call service-rule,$(s)))))

HAVE_SERVICES := $(foreach s,$(SERVICES),$(if $(wildcard services/$(s)/main.c),$(s)))

# Tools: a folder below tests/support with a main.c, and single-file programs.
SUPPORT_PROGRAM_SRC := $(shell grep -lE '^(int )?main\b' -r tests/support tests/bench deploy/local deploy/demo-producer \
	--include='*.c' 2>/dev/null)
SUPPORT_LIB_SRC := $(filter-out $(SUPPORT_PROGRAM_SRC),\
	$(shell find tests/support -maxdepth 1 -name '*.c' 2>/dev/null))
tool-name = $(if $(filter main,$(basename $(notdir $(1)))),$(notdir $(patsubst %/,%,$(dir $(1)))),$(subst _,-,$(basename $(notdir $(1)))))
PURE_LIBS := $(foreach s,$(HAVE_SERVICES),$(call lib,$(s)))

$(call lib,ch_test): $(call obj,$(SUPPORT_LIB_SRC))
	@mkdir -p $(@D)
	@rm -f $@
	$(if $(V),,@echo "  AR   $@";) ar rcs $@ $^
$(call obj,$(SUPPORT_LIB_SRC) $(SUPPORT_PROGRAM_SRC)): CPPFLAGS += -Itests/support -Itests/property $(foreach s,$(SERVICES),-Iservices/$(s))
$(call obj,$(SUPPORT_LIB_SRC) $(SUPPORT_PROGRAM_SRC)): | $(foreach s,$(HAVE_SERVICES),$(if $($(s).sql),$($(s).gen)))

define tool-rule
$(1).extra := $$(filter-out $(1),$$(if $$(filter main.c,$$(notdir $(1))),$$(wildcard $$(dir $(1))*.c)))
$$(call obj,$(1) $$($(1).extra)): CPPFLAGS += -Itests/support -I$(dir $(1)) $(foreach s,$(SERVICES),-Iservices/$(s))
$(OUT)/bin/$(call tool-name,$(1)): $$(call obj,$(1) $$($(1).extra)) $$(call lib,ch_test) $$(PROPERTY_A) $$(PURE_LIBS) $$(LAYER_A)
	@mkdir -p $$(@D)
	$$(if $$(V),,@echo "  LD   $$@";) $$(CC) $$(LINK_FLAVOUR) -pthread -o $$@ $$^ $$(PURE_LIBS) $$(LAYER_A) -ljansson $(IO_LIBS)
endef
PROPERTY_SRC := $(filter-out $(wildcard tests/property/test_*.c),$(wildcard tests/property/*.c))
PROPERTY_A := $(if $(PROPERTY_SRC),$(call lib,ch_property))
ifneq ($(PROPERTY_SRC),)
$(call lib,ch_property): $(call obj,$(PROPERTY_SRC))
	@mkdir -p $(@D)
	@rm -f $@
	$(if $(V),,@echo "  AR   $@";) ar rcs $@ $^
$(call obj,$(PROPERTY_SRC)): CPPFLAGS += -Itests/property -Itests/support $(foreach s,$(SERVICES),-Iservices/$(s))
$(call obj,$(PROPERTY_SRC)): | $(foreach s,$(HAVE_SERVICES),$(if $($(s).sql),$($(s).gen)))
endif
$(foreach p,$(SUPPORT_PROGRAM_SRC),$(eval $(call tool-rule,$(p))))

TOOLS := $(foreach p,$(SUPPORT_PROGRAM_SRC),$(OUT)/bin/$(call tool-name,$(p)))
ALL_PROGRAMS := $(foreach s,$(HAVE_SERVICES),$(OUT)/bin/$(s)) $(TOOLS)

-include $(shell find $(OUT)/obj -name '*.d' 2>/dev/null)
