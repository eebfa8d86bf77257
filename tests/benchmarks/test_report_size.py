"""The report of a large run stays small: the sample is full, and every reason and cell is in it."""

import importlib.util
import sys

from conftest import ROOT
from report_numbers import NUMBERS

SPEC = importlib.util.spec_from_file_location("report_size", ROOT / "benchmarks" / "report_size.py")
bench = importlib.util.module_from_spec(SPEC)
sys.modules["report_size"] = bench
SPEC.loader.exec_module(bench)


def test_a_page_with_a_full_sample_has_less_than_ten_million_bytes(tmp_path):
    made, samples = bench.page(tmp_path, bench.write(tmp_path, 1_200), NUMBERS)
    assert len(samples.shown.items) == 2_000
    assert len(made.encode()) < 10_000_000
    assert {item.reason for item in samples.shown.items if item.status == "rejected"} == set(bench.REASONS)
    assert len(samples.tested.cells) == 300 < len(samples.tested.counts) <= 400
    assert {item.arm for item in samples.shown.items} == {"main", "random", "test"}
