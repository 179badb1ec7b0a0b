# Recipes for work on brokerd. The checks that count are in tests/run; this is a list of names.

# List the recipes
default:
    @just --list

# Formatting and lints
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --all-features --locked -- -D warnings

# Everything but the slow part
test:
    ./tests/run --fast

# Everything, with real processes
e2e:
    ./tests/run

# The main job on this machine; `just demo --approve` needs no browser
demo *args:
    cargo demo {{args}}

# The figures, as a table in docs/SCOREBOARD.md; `just score --long` for a release
score *args:
    ./tests/score {{args}}

# The pictures of the terminal in docs/pictures, drawn anew; needs tmux
pictures:
    BROKERD_TEST_TMUX=1 BROKERD_WRITE_PICTURES=1 cargo test --locked --package broker-tests --test e2e pictures

# Licences, advisories, bans and sources of the dependencies
deny:
    cargo deny --all-features --locked check

# Every parser under libFuzzer, a minute each or as long as said; needs cargo-fuzz and the nightly toolchain
fuzz *seconds:
    fuzz/run {{seconds}}

# The rules, the protocol's types and the client's reading of answers under Miri; needs the nightly toolchain with it, and ten minutes
miri *args:
    tests/miri {{args}}

# Changes of the rules that no test notices; needs cargo-mutants, and an hour or two. `just mutants --shard 0/8` is a sample
mutants *args:
    cargo mutants --output target/mutants {{args}}

# The crates' documentation
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# The tarball for Linux, with its checksum, in target/dist
dist *args:
    packaging/dist {{args}}

# The .deb, in target/debian; needs cargo-deb
deb *args:
    packaging/deb {{args}}

# What a token costs, beside the machine's limit and the other brokers, by what `just dist` makes; --write writes docs/PERFORMANCE.md
bench *args:
    tests/bench/run {{args}}
