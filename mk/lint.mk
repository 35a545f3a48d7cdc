# What reviewers should not have to look for.

.PHONY: lint tidy format format-check reference sql-headers

lint: all ## format, layers, banned calls, externs, sizes, hardening, drift of the reference pages
	@$(MAKE) --no-print-directory BUILD=release all
	@OUT=$(OUT) RELEASE=$(call out-of,release) tests/lint/run.sh

sql-headers: $(foreach s,$(HAVE_SERVICES),$(if $($(s).sql),$($(s).gen)))

tidy: sql-headers ## clang-tidy over common/ and services/ (T=name, JOBS=2)
	@tests/lint/tidy.sh $(OUT)/gen $(DEPS)/include $(T)

format: ## clang-format all C files in place
	clang-format -i $$(git ls-files '*.c' '*.h')

format-check: ## what `make format` would change, if anything
	@tests/lint/check-format

reference: all ## write docs/reference/*.md and docs/man/*.1 from the tables of each daemon
	@mkdir -p docs/reference docs/man
	@for s in $(HAVE_SERVICES); do \
		$(OUT)/bin/$$s --reference > docs/reference/$$s.md; \
		$(OUT)/bin/$$s --man > docs/man/$$s.1; done
