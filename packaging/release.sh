#!/usr/bin/env bash
# release.sh [DIRECTORY]: builds what a release consists of, as far as this machine can, into
# DIRECTORY (default: target/dist). docs/releasing.md says what each file is and what it needs.
set -euo pipefail
cd "$(dirname "$0")/.."

out=${1:-target/dist}
build=${CARGO_TARGET_DIR:-target}
version=$(cargo pkgid --locked | sed 's/.*[#@]//')
features=export
static=$(uname -m)-unknown-linux-musl

# The same commit and the same tools make the same files.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
RUSTFLAGS="${RUSTFLAGS-} --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo --remap-path-prefix=$PWD=/vnetkvm"
export SOURCE_DATE_EPOCH RUSTFLAGS CARGO_PROFILE_RELEASE_STRIP=symbols

main() {
	mkdir -p "$out"
	source_package
	static_program
	debian_package
	heading "$out"
	(cd "$out" && sha256sum -- vnetkvm* > SHA256SUMS && cat SHA256SUMS)
}

heading() {
	printf '\n== %s\n' "$1"
}

# What crates.io gets, and what the FreeBSD port is built from. Cargo builds it once to see that nothing is missing.
source_package() {
	heading "source package"
	cargo package --locked
	cp "$build/package/vnetkvm-$version.crate" "$out/"
}

# One directory to unpack into /usr/local, or to run the program from.
static_program() {
	heading "static program"
	if ! [ -d "$(rustc --print target-libdir --target "$static")" ] || ! command -v musl-gcc >/dev/null; then
		echo "not built: it needs 'rustup target add $static' and Debian's musl-tools"
		return
	fi
	cargo build --release --locked --features "$features" --target "$static"
	local name=vnetkvm-$version-$static
	rm -rf "$build/staged/$name"
	stage "$build/$static/release/vnetkvm" "$build/staged/$name"
	tar -C "$build/staged" -czf "$out/$name.tar.gz" --sort=name --owner=0 --group=0 --numeric-owner \
	    --mtime="@$SOURCE_DATE_EPOCH" "$name"
}

# Cargo.toml says what is in it. Its program uses the C library of Debian.
debian_package() {
	heading "Debian package"
	if ! cargo deb --version >/dev/null 2>&1; then
		echo "not built: it needs 'cargo install --locked cargo-deb'"
		return
	fi
	cargo build --release --locked --features "$features"
	rm -rf "$build/release/staged"
	stage "$build/release/vnetkvm" "$build/release/staged"
	gzip -9n "$build/release/staged/share/man/man1"/*.1
	cargo deb --no-build --locked --output "$out/"
}

# stage VNETKVM PREFIX: an installed vnetkvm, with the licences of what is linked into it.
stage() {
	packaging/stage.sh "$1" "$2"
	packaging/third-party.sh > "$2/share/doc/vnetkvm/THIRD-PARTY-LICENSES"
}

main
