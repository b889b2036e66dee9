#!/usr/bin/env python3
"""How good `weir classify` is on a file of labelled replies.

    tools/evaluate_classifier.py CORPUS WEIR [--fold N | --not-fold N] [--errors]

CORPUS has JSON Lines with id, wire, class, also_ok, scope, stage, retry_after_s and provider. Folds are five, by a hash of
the id, so that one can be kept unseen while rules are written. Prints

    strict              share of replies with the class that the corpus has
    lenient             share with that class or one of also_ok
    missed hold-backs   of the replies that are rate or reputation, those taken for neither
    false hold-backs    of the replies that are recipient or content, those taken for rate or reputation
    scope, delay        share with the right scope (where the class is right), and with the right retry_after_s

each of the last four also with also_ok counted as right; and with --errors each reply that went wrong.
"""

import argparse
import hashlib
import json
import subprocess
import sys
from collections import Counter

HELD = ("rate", "reputation")


def fold_of(reply):
    return int(hashlib.sha256(reply["id"].encode()).hexdigest(), 16) % 5


def classified(weir, replies):
    """Each reply with what weir says of it. Through `wire`, so that the parsing is tested too."""
    lines = "".join(json.dumps({k: r[k] for k in ("id", "wire", "stage")}) + "\n" for r in replies)
    done = subprocess.run([weir, "classify", "--json"], input=lines, capture_output=True, text=True, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if [a["id"] for a in answers] != [r["id"] for r in replies]:
        sys.exit("weir classify did not answer each reply, in order")
    return list(zip(replies, answers))


def share(part, whole):
    return f"{part:4d} of {whole:4d}  {part / whole if whole else 0:.4f}"


def is_lenient(reply, answer):
    return answer["class"] == reply["class"] or answer["class"] in reply["also_ok"]


def report(pairs):
    strict = [(r, a) for r, a in pairs if a["class"] == r["class"]]
    held = [(r, a) for r, a in pairs if r["class"] in HELD]
    passed = [(r, a) for r, a in pairs if r["class"] in ("recipient", "content")]
    missed = [(r, a) for r, a in held if a["class"] not in HELD]
    false = [(r, a) for r, a in passed if a["class"] in HELD]
    print("strict                     ", share(len(strict), len(pairs)))
    print("lenient                    ", share(sum(is_lenient(r, a) for r, a in pairs), len(pairs)))
    print("missed hold-backs          ", share(len(missed), len(held)))
    print("  but for also_ok          ", share(sum(not is_lenient(r, a) for r, a in missed), len(held)))
    print("false hold-backs           ", share(len(false), len(passed)))
    print("  but for also_ok          ", share(sum(not is_lenient(r, a) for r, a in false), len(passed)))
    print("scope, where class is right", share(sum(a["scope"] == r["scope"] for r, a in strict), len(strict)))
    print("delay                      ", share(sum(a["retry_after_s"] == r["retry_after_s"] for r, a in pairs), len(pairs)))
    print("decided by                 ", dict(Counter(a["decided_by"].split(":")[0] for _, a in pairs)))


def print_errors(pairs):
    for reply, answer in pairs:
        marks = []
        if not is_lenient(reply, answer):
            marks.append("CLASS")
        elif answer["class"] != reply["class"]:
            marks.append("class")
        elif answer["scope"] != reply["scope"]:
            marks.append("scope")
        if answer["retry_after_s"] != reply["retry_after_s"]:
            marks.append("DELAY")
        if marks:
            wanted = "|".join([reply["class"], *reply["also_ok"]]) + "/" + reply["scope"]
            print(f"{'+'.join(marks):6} {reply['id']} {reply['provider']}: {wanted}, taken for {answer['class']}/{answer['scope']} "
                  f"by {answer['decided_by']}: {reply['stage']} {' | '.join(reply['wire'])[:230]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus")
    parser.add_argument("weir")
    parser.add_argument("--fold", type=int, help="only this fifth")
    parser.add_argument("--not-fold", type=int, help="only the other four")
    parser.add_argument("--errors", action="store_true")
    options = parser.parse_args()
    with open(options.corpus, encoding="utf-8") as lines:
        replies = [json.loads(line) for line in lines]
    if options.fold is not None:
        replies = [r for r in replies if fold_of(r) == options.fold]
    if options.not_fold is not None:
        replies = [r for r in replies if fold_of(r) != options.not_fold]
    pairs = classified(options.weir, replies)
    report(pairs)
    if options.errors:
        print_errors(pairs)


if __name__ == "__main__":
    main()
