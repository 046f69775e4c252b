#!/usr/bin/env python3
"""Draws docs/picture.svg: vnetkvm at work in a terminal.

    cargo build && docs/picture.py

It runs the commands below on the built-in demonstration dump and turns what they
print, colours included, into text of an SVG. The program is target/debug/vnetkvm,
or the one named on the command line. tests/readme.rs runs the same commands and
fails when the picture shows anything else.
"""

import pathlib
import re
import shlex
import subprocess
import sys
from xml.sax.saxutils import escape

COMMANDS = [
    "vnetkvm --demo vnets",
    "vnetkvm --demo vars --jail web01 'ip_def*' ipforwarding 'arpt_*' default_cc_ptr",
    "vnetkvm --demo print --jail web01 tcbinfo.ipi_count 'V_ifnet.cstqh_first->if_xname'",
    "vnetkvm --demo sysctl --all-vnets net.inet.ip.ttl",
]

# One character cell, and the space around the text. Each line is stretched to a
# whole number of cells, so columns align whatever font a reader has.
CELL, LINE, FONT = 8.0, 18, 13.3
LEFT, TOP, RIGHT, BOTTOM = 18, 52, 18, 16

STYLE = """
    .window { fill: #f6f8fa; stroke: #c4ccd4 }
    text { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: pre; fill: #1f2328 }
    .prompt { fill: #6e7781 }
    .command { fill: #0550ae }
    .bold { font-weight: bold }
    @media (prefers-color-scheme: dark) {
      .window { fill: #161b22; stroke: #3d444d }
      text { fill: #d1d7e0 }
      .prompt { fill: #8b949e }
      .command { fill: #79c0ff }
    }
"""

ESCAPE = re.compile(r"\x1b\[([0-9;]*)m")


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    program = sys.argv[1] if len(sys.argv) > 1 else root / "target/debug/vnetkvm"
    lines = []
    for command in COMMANDS:
        lines.append([("prompt", "$ "), ("command", command)])
        lines.extend(spans(line) for line in run(program, command, root))
    (root / "docs/picture.svg").write_text(picture(lines), encoding="utf-8")


def run(program, command, root):
    """The lines that a command prints, with the escapes of their colours."""
    arguments = shlex.split(command)[1:] + ["--color", "always"]
    answer = subprocess.run([program, *arguments], cwd=root, check=True, capture_output=True, text=True)
    if answer.stderr:
        sys.exit(f"{command} says on standard error: {answer.stderr}")
    return answer.stdout.splitlines()


def spans(line):
    """A line with escapes as pairs of a style and a text. Bold is all that answers use."""
    pieces = ESCAPE.split(line)
    styles = ["", *("bold" if code == "1" else "" for code in pieces[1::2])]
    return [(style, text) for style, text in zip(styles, pieces[0::2]) if text]


def picture(lines):
    columns = max(sum(len(text) for _, text in line) for line in lines)
    width = LEFT + columns * CELL + RIGHT
    height = TOP + (len(lines) - 1) * LINE + BOTTOM
    rows = "\n".join(row(line, TOP + number * LINE) for number, line in enumerate(lines))
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" role="img" aria-labelledby="title">
  <title id="title">vnetkvm in a terminal: network stacks, variables, an expression and a sysctl of a crash dump</title>
  <style>{STYLE}  </style>
  <rect class="window" x="0.5" y="0.5" width="{width - 1:g}" height="{height - 1:g}" rx="8"/>
  <circle cx="22" cy="20" r="6" fill="#ff5f57"/>
  <circle cx="42" cy="20" r="6" fill="#febc2e"/>
  <circle cx="62" cy="20" r="6" fill="#28c840"/>
  <g font-size="{FONT}" xml:space="preserve">
{rows}
  </g>
</svg>
"""


def row(line, y):
    length = sum(len(text) for _, text in line) * CELL
    stretch = f' textLength="{length:g}" lengthAdjust="spacingAndGlyphs"' if length else ""
    inside = "".join(f'<tspan class="{style}">{escape(text)}</tspan>' if style else escape(text) for style, text in line)
    return f'<text x="{LEFT}" y="{y:g}"{stretch}>{inside}</text>'


main()
