# Two commands: `make demo` needs only Rust; `make test` is everything, real clusters included.
LAB_DIR ?= target/lab.d
TEST_LAB := target/test-lab
CARGO ?= cargo
# Tests that count every request of the lab's account: nobody else may use it meanwhile.
ALONE := foresight_live
# Tests of the embedded world and of due times alone, which the first of the two rounds has run.
CORE := cli::tests --skip serve::tests
# Of the round without features, which is thousands of simulated incidents: lifeboat itself is optimised a little, which
# takes two minutes more to build and halves their time. Whoever edits and tests does without.
SEEDS_TEST ?= 5000
OPTIMISED := --config profile.dev.package.lifeboat.opt-level=1
# Of `bench-restore`: objects, those sizes that Velero is measured with too (0: none), and how often.
SIZES ?= 1000,10000
VELERO ?= 1000,10000
ROUNDS ?= 3
# Of `torture`: how many seeds, from which on; and in which ways requests are broken.
SEEDS_TORTURE ?= 1000000
FROM ?= 1000000
FAULTS ?= all

.PHONY: demo test test-core torture lab lab-down bench bench-restore bench-plan bench-failover lint need-rust need-go

## Builds the core and drills the shop on embedded sites. No cluster, no network.
demo: need-rust
	$(CARGO) run --locked --quiet --no-default-features -- demo

## Every test, twice: the core alone, then everything against real control planes and S3 servers. What
## the lab needs is built once and cached outside of this folder.
test: need-rust target/lab
	LIFEBOAT_SEEDS=$(SEEDS_TEST) $(CARGO) test --locked --no-default-features $(OPTIMISED)
	cd tests/lab && go vet . && go test .
	target/lab build
	@set -e; \
	target/lab down --dir $(TEST_LAB) 2>/dev/null || true; \
	target/lab up --dir $(TEST_LAB); \
	trap 'target/lab down --dir $(TEST_LAB)' EXIT; \
	LIFEBOAT_LAB=$(CURDIR)/$(TEST_LAB) LIFEBOAT_LAB_BIN=$(CURDIR)/target/lab \
	  $(CARGO) test --locked -- --include-ignored --skip $(ALONE) --skip $(CORE); \
	LIFEBOAT_LAB=$(CURDIR)/$(TEST_LAB) LIFEBOAT_LAB_BIN=$(CURDIR)/target/lab \
	  $(CARGO) test --locked --lib -- --include-ignored --test-threads 1 $(ALONE)

## The tests that need neither a cluster nor Go.
test-core: need-rust
	LIFEBOAT_SEEDS=$(SEEDS_TEST) $(CARGO) test --locked --no-default-features $(OPTIMISED)

## The larger numbers of everything that `make test` samples: twenty years of due times in every zone, a million simulated incidents (SEEDS_TORTURE=20000
## FROM=5000000 for others), 100 races, 200 kills, every changing request broken in every way (FAULTS=drop-reply,stall@58 in these, the second from the 58th on). Hours.
torture: need-rust target/lab
	LIFEBOAT_SEEDS=$(SEEDS_TORTURE) LIFEBOAT_FROM=$(FROM) \
	  $(CARGO) test --release --locked --no-default-features --lib -- --ignored --nocapture torture::a_million
	$(CARGO) test --release --locked --no-default-features --lib -- --ignored --nocapture serve::tests::twenty_years
	LIFEBOAT_RACES=100 $(CARGO) test --locked --no-default-features --test it -- --nocapture machine::
	target/lab build
	LIFEBOAT_KILLS=200 LIFEBOAT_CHAOS=$(FAULTS) LIFEBOAT_LAB_BIN=$(CURDIR)/target/lab \
	  $(CARGO) test --release --locked --test it -- --include-ignored --nocapture lab::killed lab::chaos

## Starts the lab; then: lifeboat --sites target/lab.d/sites.yaml drill playbooks/shop
lab: target/lab
	target/lab up --dir $(LAB_DIR)

lab-down: target/lab
	target/lab down --dir $(LAB_DIR)

## What planning, a run and a start cost: the numbers to beat stand in tests/bench/main.rs.
bench: need-rust
	$(CARGO) bench --locked --no-default-features --bench bench

## Backup and restore beside Velero and the barest loops, in labs of their own: a table, and the numbers in
## target/bench-restore.json. Wants a quiet machine; Velero alone takes about 9 minutes for 10,000 objects.
bench-restore: need-rust target/lab
	target/lab build
	$(CARGO) build --locked --release --bin lifeboat --example bare
	target/lab bench --sizes $(SIZES) --velero $(VELERO) --rounds $(ROUNDS) --out target/bench-restore.json

## How long plan and preflight of 200 steps take on live sites (goal: 3 s). Wants a quiet machine.
bench-plan: need-rust target/lab
	target/lab build
	$(CARGO) build --locked --release --bin lifeboat
	target/lab bench-plan --steps 200 --rounds 5

## How long the shop's failover takes from `declare` to verified health, nobody being waited for (goal: 10 s), and how
## much of it lifeboat itself computes (goal: a tenth). Wants a quiet machine.
bench-failover: need-rust target/lab
	target/lab build
	$(CARGO) build --locked --release --bin lifeboat
	target/lab bench-failover --rounds 5

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
