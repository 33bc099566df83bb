# make help lists the tasks.
SHELL := /bin/bash
GO    ?= go
BIN   := bin

.PHONY: help demo build test unit e2e validate typecheck bench fuzz lint setup-demo setup-test clean

help: ## list the tasks
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /  \1\t/' | expand -t 16

demo: setup-demo build ## everything on this machine: prints the links to click
	@$(BIN)/televisit demo $(DEMO)

build: ## the two programs, in bin/
	@mkdir -p $(BIN)
	$(GO) build -o $(BIN)/ ./cmd/televisit
	$(GO) build -o $(BIN)/televisit-dev ./cmd/dev

test: setup-test build tools lint unit typecheck e2e ## all tests: unit and integration, then the whole path in Chromium
	@echo "all tests passed"

unit: tools ## unit and integration tests on real PostgreSQL, S3 and TURN clients
	$(GO) test ./...

race: tools ## the concurrent rooms under the race detector
	$(GO) test -race ./media/... ./api/rtc/... ./audit/... ./scheduling/... ./identity/join/...

tools: build ## real servers that tests run (S3)
	@$(BIN)/televisit-dev tools

typecheck: node_modules ## the browser's TypeScript
	cd cmd/dev/e2e && npx --no-install tsc --noEmit -p ../../../api/web/ts

e2e: build node_modules ## a whole visit in real browsers, canary, validity, crash
	cd cmd/dev/e2e && node --test --test-concurrency=1 --test-reporter=spec

node_modules: cmd/dev/e2e/node_modules/.package-lock.json
cmd/dev/e2e/node_modules/.package-lock.json: cmd/dev/e2e/package-lock.json
	cd cmd/dev/e2e && npm ci --no-audit --no-fund --silent

bench: setup-test build node_modules ## the figures of the README, as a table and as JSON lines in $$BENCH_JSON
	@$(BIN)/televisit-dev bench

fuzz: ## each fuzz target for a minute
	@for t in $$(grep -rlE '^func Fuzz' --include='*_test.go' . | xargs -n1 dirname | sort -u); do \
	  for f in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]+' $$t/*_test.go | sed 's/func //'); do \
	    echo "$$t $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime 60s $$t || exit 1; done; done

lint: ## formatting and vet
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...

setup-demo:
	@deploy/setup.sh demo

setup-test:
	@deploy/setup.sh test

clean: ## what was built
	rm -rf $(BIN) tmp
