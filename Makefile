# Each target is one or two readable lines. CARGO_TARGET_DIR, MAINPOINT_MODELS_DIR and MAINPOINT_PYTHON are respected.
TARGET    := $(or $(CARGO_TARGET_DIR),target)
MAINPOINT := $(TARGET)/debug/mainpoint
BENCH     := $(TARGET)/debug/mainpoint-bench
DATA      := $(or $(if $(MAINPOINT_DATA),$(wildcard $(MAINPOINT_DATA)/.)),../shared/data)
RECORDED  := $(wildcard $(DATA)/openai-fixtures/. $(DATA)/field-reports/. $(DATA)/languages/.)

.PHONY: help run test check fmt deny bench bench-recall bench-answers bench-sessions bench-privacy bench-weights bench-prices bench-rewriting bench-request-path bench-reader bench-ingest bench-handles bench-faults bench-kills bench-memory-dead bench-storm bench-soak bench-reliability bench-simulation bench-fuzz bench-overhead bench-speed demo release build models light-model test-models packages test-tools load-tools

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 16

run: build ## Install what is missing, build, fetch the models and start the proxy (ARGS="--listen …" is passed on)
	$(MAINPOINT) serve --fetch $(ARGS)

test: test-models test-tools ## Install what is missing, build, fetch the models and run every test
	$(if $(word 3,$(RECORDED)),,@echo "SKIPPED: the tests on recorded data, because $(DATA) lacks openai-fixtures, field-reports or languages (set MAINPOINT_DATA)")
	MAINPOINT_TEST_PYTHON="$(CURDIR)/.venv/bin/python" cargo nextest run --workspace $(if $(word 3,$(RECORDED)),,--profile without-data) $(ARGS)

check: packages ## Formatting and lints
	cargo fmt --all --check
	RUSTC_WORKSPACE_WRAPPER=clippy-driver CLIPPY_ARGS=-Dwarnings__CLIPPY_HACKERY__ cargo build --workspace --all-targets

fmt: ## Format the code
	cargo fmt --all

bench: bench-recall bench-rewriting bench-speed ## All benchmarks

bench-recall: models ## Recall on LoCoMo, BEAM and five languages, against every baseline (ARGS="--conversations … --reader …" is passed on)
	$(BENCH) recall $(ARGS)

bench-answers: models answer-model ## What a real model of 1.5B answers from what is forwarded, and from the newest messages (ARGS="--data … --upstream URL" is passed on)
	$(BENCH) answers $(ARGS)

bench-sessions: models ## Whether a new chat is answered from earlier ones, and left alone by small talk (ARGS="--questions 40 …" is passed on)
	$(BENCH) sessions $(ARGS)

bench-weights: models ## Learns what the signals of relevance are worth, beside those that are shipped
	$(BENCH) weights $(ARGS)

bench-prices: models ## Price and evidence of long conversations with prompt caching, by policy (ARGS="--chats 1,3 --curve memory.memory_share=0.1,0.3 …" is passed on)
	$(BENCH) prices $(ARGS)

bench-rewriting: bench-prices ## The prices, and the laws of rewriting on 100,000 conversations (bench/results/byte-identity.jsonl)
	MAINPOINT_RESULTS="$(CURDIR)/bench/results" cargo nextest run --workspace -E 'test(/law_tests::/)'

bench-speed: bench-reader bench-ingest bench-request-path bench-overhead ## All of them; each writes its rows to bench/results/speed.jsonl

bench-privacy: build ## Callers and forks in 100,000 interleavings each, and 1,000 stores that are deleted from (bench/results/reliability.jsonl)
	MAINPOINT_RESULTS="$(CURDIR)/bench/results" cargo nextest run --workspace --test-threads 1 -E 'test(/however_.*requests.*follow_each_other/) or test(/no_byte_of_what_was_deleted/)'

bench-simulation: build ## The store in 100,000 histories of requests, faults, crashes and power losses (MAINPOINT_SIMULATION_SEED=1560 tells one of them)
	MAINPOINT_RESULTS="$(CURDIR)/bench/results" cargo nextest run --workspace --no-capture -E 'test(/simulation::whatever_happens/)'

bench-request-path: models ## How long a request waits for its memory, with 1,000 to 1,000,000 main points (ARGS="--sizes 1000 --requests 200 …" is passed on)
	$(BENCH) request-path $(ARGS)

bench-reader: models light-model ## Speed of reading and of questions, on an idle engine and while much is read (ARGS="--rounds 9 …" is passed on)
	$(BENCH) reader $(ARGS)

bench-ingest: models light-model ## An import of 1,000,000 tokens, killed on the way, and how soon the proxy is ready on it (ARGS="--tokens 200000 …" is passed on)
	$(BENCH) ingest $(ARGS)

bench-handles: models ## Open files of a proxy whose store is maintained every second, for an hour (ARGS="--minutes 5" is passed on)
	$(BENCH) handles $(ARGS)

bench-overhead: models load-tools ## What a request costs through mainpoint, nginx and other gateways (ARGS="--quick …" is passed on)
	$(BENCH) overhead $(ARGS)

# Faults in turn, so that none stands in another's way; the page is written of what came of them, also where a claim fails.
bench-faults: models ## Every study of reliability, and bench/RELIABILITY.md (ARGS="--quick" is passed on)
	status=0; for study in kills memory-dead storm soak; do $(BENCH) $$study $(ARGS) || status=1; done; \
	for target in bench-simulation bench-fuzz bench-reliability; do $(MAKE) $$target || status=1; done; exit $$status

bench-kills: models ## 200 kills and ten stops under more load than the reader can follow; is every acknowledged turn there, once? (ARGS="--quick" is passed on)
	$(BENCH) kills $(ARGS)

bench-fuzz: packages ## Whatever is read from outside, with any bytes, under libFuzzer (MINUTES=10, TARGETS="sse gguf")
	RUSTC_WORKSPACE_WRAPPER="$(CURDIR)/scripts/instrumented-rustc.sh" cargo build --workspace --bin mainpoint-fuzz --features mainpoint-fuzz/libfuzzer
	scripts/fuzz.sh $(TARGET)/debug/mainpoint-fuzz $(TARGET)/fuzz bench/results

bench-memory-dead: models ## Requests while the reader, the questions or the store is dead (ARGS="--quick" is passed on)
	$(BENCH) memory-dead $(ARGS)

bench-storm: models ## A thousand clients that leave: are they noticed, and does anything stay open? (ARGS="--quick" is passed on)
	$(BENCH) storm $(ARGS)

bench-soak: models ## Half an hour of everything: does memory grow, is every request answered? (ARGS="--minutes 120" is passed on)
	$(BENCH) soak $(ARGS)

bench-reliability: build ## Writes bench/RELIABILITY.md from bench/results/reliability.jsonl
	$(BENCH) reliability

release: build ## The program without debug information (dist/mainpoint), and its bill of materials (dist/mainpoint.cdx.json)
	mkdir -p dist
	strip -o dist/mainpoint $(MAINPOINT)
	@scripts/write-bill-of-materials.sh dist

deny: packages ## Licences, bans, sources and advisories of the dependencies
	@scripts/check-dependencies.sh

demo: models ## Play a conversation of 60 turns through a running proxy and show what is forwarded and recalled
	$(BENCH) demo $(ARGS)

# One selection of packages and features for everything, so that the long compiles happen once.
build: packages
	cargo build --workspace

models: build
	$(MAINPOINT) models fetch

light-model: build
	$(MAINPOINT) models fetch all-minilm-l6-v2

answer-model: build
	$(MAINPOINT) models fetch qwen2.5-coder-1.5b-instruct

test-models: build
	$(MAINPOINT) models fetch embeddinggemma-300m all-minilm-l6-v2 qwen2.5-coder-0.5b-instruct

packages:
	@scripts/install-system-packages.sh
	@scripts/processor-features.sh

test-tools: packages
	@scripts/install-test-tools.sh

load-tools:
	@scripts/install-load-tools.sh
