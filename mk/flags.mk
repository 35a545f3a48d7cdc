# Compiler and linker flags: the warning set of docs/architecture.md, probed,
# so that gcc 12 and clang 14 each take what they know.

CSTD := -std=c17 -D_GNU_SOURCE
GIT_ID := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)

cc-option = $(shell $(CC) -Werror $(1) -x c -c /dev/null -o /dev/null \
	2>/dev/null && echo $(1))

# Handed down to a make within this make, unless that one has another compiler.
ifneq ($(WARN_OF),$(CC))
WARN := $(foreach f, -Wall -Wextra -Wformat=2 -Wconversion -Wsign-conversion \
	-Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wold-style-definition -Wcast-qual -Wcast-align=strict \
	-Wpointer-arith -Wwrite-strings -Wvla -Wundef -Wnull-dereference \
	-Wdouble-promotion -Wfloat-equal -Wduplicated-cond \
	-Wduplicated-branches -Wlogical-op -Wswitch-enum -Wformat-signedness \
	-Wjump-misses-init -Wredundant-decls -Wdate-time -Walloca \
	-Wstack-usage=65536 -Wimplicit-fallthrough -Wtrampolines \
	-Wbidi-chars=any,$(call cc-option,$(f))) \
	-Werror=format-security -Werror=implicit -Werror=int-conversion \
	-Werror=incompatible-pointer-types
export WARN
export WARN_OF := $(CC)
endif
WERROR ?= -Werror

HARDEN := -fstack-protector-strong -fstack-clash-protection \
	-fcf-protection=full -fno-delete-null-pointer-checks \
	-fno-strict-overflow -fno-strict-aliasing -fPIE
LINK_HARDEN := -pie -Wl,-z,noexecstack,-z,relro,-z,now -Wl,--as-needed

FLAVOUR.debug := -O1 -g3 -fno-omit-frame-pointer
# clang 14 has the last one under a name that it will not keep
FLAVOUR.release = -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 $(HARDEN) \
	$(call cc-option,-ftrivial-auto-var-init=zero)
FLAVOUR.asan := -O1 -g -fsanitize=address,undefined \
	-fno-sanitize-recover=all -fno-omit-frame-pointer
FLAVOUR.tsan := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
FLAVOUR.cov := -O0 -g --coverage
FLAVOUR.fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=all -fno-omit-frame-pointer
FLAVOUR.failpoints := -O1 -g -DCH_FAILPOINTS -fno-omit-frame-pointer
FLAVOUR := $(FLAVOUR.$(BUILD))
ifeq ($(FLAVOUR),)
$(error BUILD=$(BUILD) is none of debug release asan tsan cov fuzz failpoints)
endif
LINK_FLAVOUR := $(filter -fsanitize=% --coverage,$(FLAVOUR)) \
	$(if $(filter release,$(BUILD)),$(LINK_HARDEN))

# bookworm's uthash casts and shadows: a system header for that reason
CPPFLAGS += -Icommon -I$(OUT)/gen -isystem $(DEPS)/include \
	-isystem /usr/include/postgresql -DCH_VERSION='"$(VERSION)"' \
	-DCH_GIT_ID='"$(GIT_ID)"'
VERSION := $(shell cat VERSION 2>/dev/null || echo 0.0.0)
# not :=, since a target may have a WARN of its own
CFLAGS_ALL = $(CSTD) $(FLAVOUR) $(WARN) $(WERROR) -pthread -MMD -MP $(CFLAGS)

BASE_LIBS := -lcrypto
IO_LIBS := $(DEPS)/lib/librdkafka.a $(DEPS)/lib/libwebsockets.a -lpq -lcurl \
	-lssl -lcrypto -lpcre2-8 -lzstd -llz4 -lz -lm -ldl -lrt
