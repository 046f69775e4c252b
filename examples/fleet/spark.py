#!/usr/bin/env python3
"""Exports many dumps on a Spark cluster, and shows all of them as one table.

    spark-submit spark.py --out DIR LIST

LIST has the path of a dump on each line, or a host, a tab, and the path. Each dump is one
task: `vnetkvm export` runs where the task runs, and so paths and DIR must be the same on all
machines. A task that is repeated replaces the files of its own dump and nothing else. A dump
that cannot be read has its reason in the table `errors`, and ends nothing.
"""

import argparse
import json
import os
import pathlib
import subprocess

from pyspark.sql import SparkSession
from pyspark.sql.functions import col, lit
from pyspark.sql.types import StringType, StructField, StructType

# What is shown of all dumps: where they crashed, and which of them cannot be read.
QUESTIONS = [
    "SELECT crash_function, count(*) FROM dumps GROUP BY crash_function ORDER BY crash_function",
    "SELECT dump, host FROM errors WHERE table_name IS NULL ORDER BY dump, host",
]

FAILED = StructType([StructField(name, StringType()) for name in ("host", "dump", "why")])


def export(line, vnetkvm, out, debug_dirs, patience):
    """Exports the dump of a line. Gives its host, its name and why it failed; or nothing."""
    host, _, path = line.rpartition("\t")
    words = [vnetkvm, "export", "-M", path, "-o", out, "--format", "plain"]
    words += [f"--host={host}"] if host else []
    words += [word for directory in debug_dirs for word in ("--debug-dir", directory)]
    environment = {name: value for name, value in os.environ.items() if name != "VNETKVM_CORE"}
    try:
        done = subprocess.run(words, capture_output=True, timeout=patience, env=environment)
    except (OSError, subprocess.TimeoutExpired) as why:
        return [(host or None, os.path.basename(path), str(why))]
    if done.returncode == 0:
        remove_failure(done.stdout.decode(errors="surrogateescape"))
        return []
    said = done.stderr.decode(errors="replace").strip() or f"it ended by {done.returncode}"
    return [(host or None, os.path.basename(path), said)]


def remove_failure(written):
    """Removes the row of an earlier run in which the program failed: a file beside its own."""
    for line in written.splitlines():
        table, _, file = line.split("\t")
        if table == "errors":
            for other in pathlib.Path(file).parent.glob("part-*.parquet"):
                if other.name != pathlib.Path(file).name:
                    other.unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("list", help="a file with the path of a dump on each line")
    parser.add_argument("--out", required=True, help="the directory of the tables")
    parser.add_argument("--vnetkvm", default="vnetkvm", help="the program, on each machine")
    parser.add_argument("--debug-dir", action="append", default=[], help="where kernels lie")
    parser.add_argument("--patience", type=int, default=3600, help="seconds for a dump")
    args = parser.parse_args()
    with open(args.list) as file:
        lines = [line.rstrip("\n") for line in file if line.strip()]

    spark = SparkSession.builder.appName("vnetkvm").getOrCreate()
    # A partition that is written replaces only itself.
    spark.conf.set("spark.sql.sources.partitionOverwriteMode", "dynamic")
    # Names of hosts and dumps are text, also if all are numbers.
    spark.conf.set("spark.sql.sources.partitionColumnTypeInference.enabled", "false")
    vnetkvm, out, debug_dirs, patience = args.vnetkvm, args.out, args.debug_dir, args.patience
    tasks = spark.sparkContext.parallelize(lines, max(1, len(lines)))
    failed = tasks.flatMap(lambda line: export(line, vnetkvm, out, debug_dirs, patience)).collect()

    errors = spark.read.parquet(os.path.join(out, "errors"))
    if failed:
        # What ended the program itself is not in its files.
        rows = spark.createDataFrame(failed, FAILED)
        known = FAILED.fieldNames()
        columns = [
            (col(field.name) if field.name in known else lit(None)).cast(field.dataType).alias(field.name)
            for field in errors.schema.fields
        ]
        rows = rows.select(columns)
        rows.write.mode("overwrite").partitionBy("host", "dump").parquet(os.path.join(out, "errors"))

    spark.read.parquet(os.path.join(out, "dumps")).createOrReplaceTempView("dumps")
    spark.read.parquet(os.path.join(out, "errors")).createOrReplaceTempView("errors")
    for question in QUESTIONS:
        for row in spark.sql(question).collect():
            print(json.dumps(list(row)))
    spark.stop()


if __name__ == "__main__":
    main()
