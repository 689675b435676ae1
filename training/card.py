"""Writes the tables of docs/tone.md anew: `python training/card.py --data FOLDER`, which holds the dev_*.tsv files.

The product itself reads the texts (no numpy, none of the trainer's code), so the model card tells what an admin gets.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from connector.triage.tone import Ngrams
from connector.triage.tone.labelled import Measure, measured, read_labelled
from connector.triage.tone.weights import CLASSES

CARD = Path(__file__).parent.parent / "docs" / "tone.md"
BEGIN, END = "<!-- made by training/card.py -->\n", "<!-- end -->"
FILES = {
    "dev_sentirueval2015_EVALONLY.tsv": {
        "telecom": "Russian telecom tweets (SentiRuEval 2015)",
        "banks": "Russian bank tweets (SentiRuEval 2015)",
    },
    "dev_rusentitweet_train_EVALONLY.tsv": {"": "Russian tweets (RuSentiTweet, train)"},
    "dev_cedr_test.tsv": {"": "Russian sentences (CEDR, test)"},
    "dev_airline_1000_EVALONLY.tsv": {"": "English airline tweets"},
    "dev_tweeteval_val_EVALONLY.tsv": {"": "English tweets (TweetEval, val)"},
    "dev_goemotions_test.tsv": {"": "English comments (GoEmotions, test)"},
}


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--data", type=Path, required=True, help="the folder of the dev_*.tsv files")
    folder = ask.parse_args().data
    detector, tables = Ngrams(), []
    for name, parts in FILES.items():
        for source, title in parts.items():
            rows = [row for row in read_labelled(folder / name)[0] if source in row.source]
            tables.append(table(title, measured(rows, detector)))
            print(tables[-1].splitlines()[0])
    card = CARD.read_text("utf-8")
    made, count = re.subn(f"{BEGIN}.*?{END}", lambda _: BEGIN + "\n".join(tables) + END, card, flags=re.DOTALL)
    if count != 1:
        raise SystemExit(f"{CARD} has no place for the tables")
    CARD.write_text(made, "utf-8")


def table(title: str, measure: Measure) -> str:
    """One file's figures as Markdown."""
    lines = [
        f"**{title}**: {measure.count:,} texts, macro-F1 **{measure.macro_f1:.3f}**\n",
        "| is, read as | negative | neutral | positive | precision | recall |",
        "|---|---|---|---|---|---|",
    ]
    for at, label in enumerate(CLASSES):
        counts = " | ".join(str(count) for count in measure.table[at])
        lines.append(f"| {label} | {counts} | {measure.precision(at):.2f} | {measure.recall(at):.2f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
