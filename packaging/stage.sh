#!/bin/sh
# stage.sh VNETKVM PREFIX: lays out an installed vnetkvm below PREFIX, as /usr/local has it.
# Manual pages and completions are what the program VNETKVM itself writes.
set -eu

program=$1
prefix=$2
project=$(cd "$(dirname "$0")/.." && pwd)

mkdir -p "$prefix/bin" "$prefix/share/man/man1" "$prefix/share/bash-completion/completions" \
    "$prefix/share/zsh/site-functions" "$prefix/share/fish/vendor_completions.d" \
    "$prefix/share/doc/vnetkvm/docs/formats"

# A port has installed the program before it calls this.
[ "$program" -ef "$prefix/bin/vnetkvm" ] || install -m 755 "$program" "$prefix/bin/vnetkvm"

"$program" man "$prefix/share/man/man1"
"$program" completions bash > "$prefix/share/bash-completion/completions/vnetkvm"
"$program" completions zsh > "$prefix/share/zsh/site-functions/_vnetkvm"
"$program" completions fish > "$prefix/share/fish/vendor_completions.d/vnetkvm.fish"

# Pages refer to each other, so they stay in their places.
cd "$project"
doc=$prefix/share/doc/vnetkvm
install -m 644 README.md CHANGELOG.md LICENSE "$doc"
install -m 644 docs/*.md docs/picture.svg "$doc/docs"
install -m 644 docs/formats/*.md "$doc/docs/formats"
