#!/usr/bin/env bash
# third-party.sh: prints the licences of the crates that a released program contains, as they ask for.
# The crates' sources must have been downloaded: a build does that.
set -euo pipefail
cd "$(dirname "$0")/.."

registries=("${CARGO_HOME:-$HOME/.cargo}"/registry/src/*)

# directory CRATE-VERSION: where its source is.
directory() {
	local registry
	for registry in "${registries[@]}"; do
		[ ! -d "$registry/$1" ] || { echo "$registry/$1"; return; }
	done
	echo "$1 has not been downloaded: cargo fetch --locked" >&2
	return 1
}

# texts DIRECTORY: the files with licences. libzstd is in a directory of its own.
texts() {
	find "$1" -maxdepth 2 -type f \( -iname 'LICEN[CS]E*' -o -iname 'COPYING*' \
	    -o -iname 'COPYRIGHT*' -o -iname 'NOTICE*' -o -iname UNLICENSE \) | LC_ALL=C sort
}

crates=$(cargo tree --locked --features export --edges normal --prefix none --format '{p}@{l}' |
    sed 's/ (\*)$//; s/ (proc-macro)//' | LC_ALL=C sort -u)

echo "vnetkvm contains the Rust standard library (MIT OR Apache-2.0) and these crates, under these licences."
# Most texts are those of many crates. Each is printed once.
declare -A printed
while IFS=@ read -r crate licence; do
	name=${crate% v*} version=${crate##* v}
	[ "$name" != "vnetkvm" ] || continue
	source=$(directory "$name-$version")
	printf '\n==== %s %s: %s\n' "$name" "$version" "$licence"
	while read -r file; do
		told=$name-$version/${file#"$source"/}
		sum=$(cksum < "$file")
		if [ "${printed[$sum]+before}" ]; then
			printf -- '---- %s: as %s\n' "$told" "${printed[$sum]}"
		else
			printed[$sum]=$told
			printf -- '---- %s\n\n' "$told"
			cat "$file"
			echo
		fi
	done < <(texts "$source")
done <<< "$crates"
