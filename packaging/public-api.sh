#!/usr/bin/env bash
# public-api.sh [FILE]: writes the library's public interface, with all features, into FILE
# (default: docs/public-api.txt). Needs `cargo install --locked cargo-public-api@0.52.0`.
set -euo pipefail
cd "$(dirname "$0")/.."

out=${1:-docs/public-api.txt}

# The tool reads what rustdoc writes for programs. Stable rustdoc writes it only if it takes unstable options,
# for which some crates are compiled in another way: so they are kept apart.
export CARGO_TARGET_DIR=target/public-api
RUSTC_BOOTSTRAP=1 cargo rustdoc --quiet --locked --lib --features export -- \
    -Zunstable-options --output-format json
# What the compiler implements by itself follows from the rest.
cargo public-api --rustdoc-json "$CARGO_TARGET_DIR/doc/vnetkvm.json" -sss > "$out"
