#!/usr/bin/env python3
"""Reads an exported ledger (p2c2rctl ledger export, CSV) and works out every balance from the entries
alone, sharing no code with the ledger: ledger-replay.py JOURNAL [BALANCES]. With BALANCES, compares.
Checks on the way: numbers without gaps, no account below zero but WORLD (and HOST in points mode),
remainders that add up, pay that clears no earlier than allowed."""
import csv
import sys
from collections import defaultdict

HOUR = 3600
balance = defaultdict(int)
rest = defaultdict(int)
tasks = defaultdict(int)
earned = defaultdict(list)  # per helper: (time, tasks after it, amount), not cleared
points = None


def account(kind, row):
    if kind in ("WORLD", "HOST"):
        return (kind, "")
    return (kind, row["session"] if kind == "ESCROW" else row["key"])


def fail(row, why):
    sys.exit(f"entry {row['number']}: {why}")


expected = 1
with open(sys.argv[1], newline="") as file:
    for row in csv.DictReader(file):
        amount, number, time = int(row["amount_nd"]), int(row["number"]), int(row["time"])
        if number != expected:
            fail(row, f"number {expected} is missing")
        expected += 1
        source, target = account(row["from"], row), account(row["to"], row)
        balance[source] -= amount
        balance[target] += amount
        kind = row["kind"]
        if kind == "EARN":
            points = row["from"] == "HOST" if points is None else points
            tasks[target] += int(row["tasks"])
            earned[target].append((time, tasks[target], amount))
            rest[target] = int(row["rest"])
            if rest[target] >= 1000000:
                fail(row, "a remainder of a whole nano-dollar")
        elif kind == "CHARGE":
            # price x seconds + old remainder = 3600 x amount + new remainder
            scaled = amount * HOUR + int(row["rest"]) - rest[source]
            if scaled != int(row["units"]) * 10000000:
                fail(row, "the charge is not the price of its seconds")
            rest[source] = int(row["rest"])
        elif kind == "CLEAR":
            left = amount
            while left > 0 or (earned[source] and earned[source][0][2] == 0):
                then, after, part = earned[source][0]
                if part == 0 and left == 0 and (time - then < HOUR or
                                                tasks[source] - after < 10000):
                    break
                if time - then < HOUR or tasks[source] - after < 10000:
                    fail(row, "pay clears too early")
                earned[source].pop(0)
                left -= part
            if left != 0:
                fail(row, "cleared pay that was not earned so")
        elif kind == "FORFEIT":
            if balance[source] != 0:
                fail(row, "held pay is left")
            earned[source].clear()
        for place in (source, target):
            if balance[place] < 0 and place[0] != "WORLD" and not (place[0] == "HOST" and points):
                fail(row, f"{place} is below zero")

if sum(balance.values()) != 0:
    sys.exit("the sum is not zero")
if len(sys.argv) > 2:
    stated = {}
    with open(sys.argv[2]) as file:
        for line in file:
            kind, key, amount = line.rstrip("\n").split(" ")
            stated[(kind, key)] = int(amount)
    ids = set(stated) | set(balance)
    wrong = [i for i in ids if stated.get(i, 0) != balance[i]]
    if wrong:
        sys.exit(f"{len(wrong)} balances differ, one is {wrong[0]}: ledger "
                 f"{stated.get(wrong[0], 0)}, replay {balance[wrong[0]]}")
    print(f"{expected - 1} entries replayed, {len(ids)} balances reproduced, sum 0")
else:
    for (kind, key), amount in sorted(balance.items()):
        print(f"{kind} {key} {amount}")
