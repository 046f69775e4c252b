#!/bin/sh
# Runs spark.py on this machine over 20 dumps and three files that are none, and compares what
# Spark says with what DuckDB says of the same tables. Needs cargo, python3 with venv, and Java 17.
# The directory is kept: check.sh [DIRECTORY]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
work=${1:-$(mktemp -d)}
mkdir -p "$work/dumps" "$work/kernels"
python=$work/python/bin/python
[ -x "$python" ] || { python3 -m venv "$work/python"; "$work/python/bin/pip" install -q pyspark duckdb; }
(cd "$project" && cargo build --locked --features export)
vnetkvm=$project/target/debug/vnetkvm

: > "$work/list"
for number in $(seq 20); do
	scenario=demo
	[ $((number % 4)) -ne 0 ] || scenario=trouble
	[ -d "$work/built-$scenario" ] ||
	    "$vnetkvm" image build "$project/fixtures/scenarios/$scenario.toml" -o "$work/built-$scenario" > /dev/null
	mkdir -p "$work/kernels/$scenario"
	cp "$work/built-$scenario/kernel" "$work/kernels/$scenario/kernel"
	cp "$work/built-$scenario"/vmcore.minidump-v2* "$work/dumps/vmcore.$number"
	printf 'host%d\t%s\n' $((number % 5)) "$work/dumps/vmcore.$number" >> "$work/list"
done
head -c 4096 "$work/dumps/vmcore.1" > "$work/dumps/cut"
echo 'no dump' > "$work/dumps/letter"
printf 'host1\t%s\nhost1\t%s\nhost1\t%s\n' \
    "$work/dumps/cut" "$work/dumps/letter" "$work/dumps/none" >> "$work/list"

spark() {
	"$python" "$here/spark.py" --vnetkvm "$vnetkvm" --debug-dir "$work/kernels" \
	    --out "$work/exports" "$work/list" 2> "$work/spark.log"
}
spark > "$work/by-spark"
# A second run changes nothing.
(cd "$work/exports" && find . -type f | sort | xargs cksum) > "$work/first"
spark > "$work/again"
(cd "$work/exports" && find . -type f | sort | xargs cksum) > "$work/second"
cmp "$work/first" "$work/second"
cmp "$work/by-spark" "$work/again"

"$python" - "$work/exports" "$here" > "$work/by-duckdb" <<'END'
import duckdb, json, sys
sys.path.insert(0, sys.argv[2])
from spark import QUESTIONS
connection = duckdb.connect()
for table in ("dumps", "errors"):
    connection.execute(f"""CREATE VIEW {table} AS SELECT * FROM read_parquet(
        '{sys.argv[1]}/{table}/*/*/*.parquet', hive_partitioning = true, hive_types_autocast = false)""")
for question in QUESTIONS:
    # Spark has null first.
    for row in connection.execute(question.replace("ORDER BY crash_function", "ORDER BY crash_function NULLS FIRST")).fetchall():
        print(json.dumps(row))
END
cmp "$work/by-spark" "$work/by-duckdb"
cat "$work/by-spark"
