# Two commands: `make demo` needs only Rust; `make test` is everything, real clusters included.
LAB_DIR ?= target/lab.d
CARGO ?= cargo

.PHONY: demo test test-core lab lab-down bench lint need-rust need-go

## Builds the core and drills the shop on embedded sites. No cluster, no network.
demo: need-rust
	$(CARGO) run --locked --quiet --no-default-features -- demo

## Every test. The lab (two real control planes, two S3 servers) is built once and cached.
test: need-rust target/lab
	$(CARGO) test --locked --no-default-features --lib --bins
	target/lab build
	LIFEBOAT_LAB_BIN=$(CURDIR)/target/lab $(CARGO) test --locked

## The tests that need neither a cluster nor Go.
test-core: need-rust
	$(CARGO) test --locked --no-default-features

## Starts the lab; then: lifeboat --sites target/lab.d/sites.yaml drill playbooks/shop
lab: target/lab
	target/lab up --dir $(LAB_DIR)

lab-down: target/lab
	target/lab down --dir $(LAB_DIR)

bench: need-rust
	$(CARGO) bench --locked --no-default-features

lint: need-rust
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

target/lab: need-go $(wildcard tests/lab/*.go tests/lab/go.mod)
	@mkdir -p target
	cd tests/lab && go build -o ../../$@ .

need-rust:
	@command -v $(CARGO) >/dev/null || { echo "error: cargo is missing; install Rust from https://rustup.rs" >&2; exit 1; }

need-go:
	@command -v go >/dev/null || { echo "error: go is missing; the lab builds its servers with Go 1.26 or newer (https://go.dev/dl)" >&2; exit 1; }
