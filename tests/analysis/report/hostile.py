"""Names that try to be more than text, and how each format's reader sees them."""

import re

HOSTILE = [
    "<script>alert(1)</script>",
    "</title></style><img src=x onerror=alert(1)>",
    "\"onload='alert(1)' {{ 7 * 7 }} {% raw %} &amp; &lt;",
    r"\input{/etc/passwd} \\[3cm] & % $x_1$ #1 _a_ ^b ~ {}",
    "../../etc",
    "=cmd()",
    "**bold** `code` [link](x) | a\tb\nc",
    "\x1b[31mred\x1b[0m \x07",
    "[bold]markup[/bold] :smile:",
    "* starred --- `` ''",
    "ünïcode 名前 \u202etxt.exe \ufeff",
]


def shown(name: str) -> str:
    """Return what a reader is to see: one line, without control characters; written apart from the code under test."""
    return " ".join(re.sub("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\ufeff]", " ", name).split())
