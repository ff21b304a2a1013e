"""Guided by which lines a case reaches: `python -m tests.fuzz.guided PARSER -max_total_time=600` (needs `atheris`).

It starts from a thousand cases of the long run; what fails is written by libFuzzer as crash-*, to be put in `found/`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from random import Random

SEEDS = 1000
INSTRUMENTED = [
    "assistant",
    "steering",
    "storage",
    "tomlkit",
    "gguf",
    "bs4",
    "markdownify",
    "mailparser_reply",
    "email",
    "jinja2",
]


def main() -> None:
    """Run until libFuzzer's own options end it."""
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED):
        from tests.fuzz.parsers import PARSERS

    name, *flags = sys.argv[1:]
    parser = PARSERS[name]
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    corpus = folder / "corpus"
    corpus.mkdir()
    for case in range(SEEDS):
        (corpus / str(case)).write_bytes(parser.make(Random(case)))
    limits = ("-timeout=20", "-rss_limit_mb=700", "-max_len=65536")
    atheris.Setup([sys.argv[0], *limits, *flags, str(corpus)], lambda data: parser.run(data, folder))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
