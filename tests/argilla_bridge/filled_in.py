"""A file of rows as a person fills it in."""

import csv


def lines(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def fill_in(path, answers, *, column="label"):
    """Write answers into the first rows of a file. RETURNS: All rows."""
    rows = lines(path)
    for row, answer in zip(rows, answers, strict=False):
        row[column] = answer
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return rows
