import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("plan_of_many_rows.py")


def run(folder: Path, seeds: int) -> list[int]:
    done = subprocess.run([sys.executable, str(SCRIPT), str(folder), str(seeds)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [int(number) for number in done.stdout.split()]


def test_memory_does_not_follow_the_number_of_rows(tmp_path):
    run(tmp_path, 0)
    (few, small), (many, large) = run(tmp_path, 100), run(tmp_path, 1000)
    assert (few, many) == (10_000, 100_000)
    assert large < 1.2 * small, f"{few} rows: {small} kB, {many} rows: {large} kB"
