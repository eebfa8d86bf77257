import pytest

from spacy_synthesizrr.report.findings import Standing, comparisons, noise, remarks


def told(*standings, test=10_000, dev=10_000, shared=0):
    found = comparisons(standings, metric="accuracy", rows={"dev": dev, "test": test}, dev_in_test=shared)
    return [(finding.tone, finding.text) for finding in found]


MAIN = Standing("main", rows=240, test=[0.80, 0.81, 0.82])


def test_a_student_that_loses_says_so():
    ((tone, text),) = told(MAIN, Standing("seed-only", test=[0.84, 0.85, 0.86]))
    assert tone == "bad"
    assert text == (
        "The student does not beat seed-only (the seeds alone): test accuracy 81.0 ± 1.0 % against 85.0 ± 1.0 % (\N{MINUS SIGN}4.0 points)."
    )


def test_a_tie_is_no_win():
    ((tone, text),) = told(MAIN, Standing("random", test=[0.80, 0.81, 0.82]))
    assert tone == "bad"
    assert "does not beat random" in text
    assert text.endswith("(0.0 points).")


def test_a_lead_within_the_spread_of_training_seeds_is_no_win():
    ((tone, text),) = told(MAIN, Standing("seed-only", test=[0.75, 0.80, 0.85]))
    assert tone == "plain"
    assert "no more than the noise" in text


def test_a_lead_on_few_test_rows_is_no_win():
    seeds_only = Standing("seed-only", test=[0.75, 0.76, 0.77])
    assert [tone for tone, _ in told(MAIN, seeds_only, test=130)] == ["plain"]
    assert [tone for tone, _ in told(MAIN, seeds_only, test=140)] == ["good"]


def test_the_noise_is_the_standard_error_of_the_difference_of_two_shares():
    assert noise([0.5], [0.5], 100) == pytest.approx(0.05 * 2**0.5)
    assert noise([0.9], [0.5], 100) == pytest.approx((0.03**2 + 0.05**2) ** 0.5)
    assert noise([0.5, 0.7], [0.6], 10_000) == pytest.approx(0.02**0.5)
    assert noise([1.0], [1.0], 100) == 0.0


def test_one_training_seed_is_no_win():
    ((tone, text),) = told(Standing("main", test=[0.9]), Standing("random", test=[0.2]))
    assert tone == "plain"
    assert text.startswith("The student is ahead of random") and "but with a single training seed" in text


def test_rows_that_chose_the_models_prove_no_win():
    ((tone, text),) = told(Standing("main", dev=[0.9, 0.9]), Standing("random", dev=[0.2, 0.2]))
    assert tone == "plain"
    assert text.startswith("The student is ahead of random") and "on dev alone, and dev chose the models" in text


def test_test_rows_that_chose_the_models_prove_no_win():
    ((tone, text),) = told(MAIN, Standing("random", test=[0.2, 0.2]), shared=5)
    assert tone == "plain" and "dev rows stand in test too" in text


def test_dev_rows_in_test_are_bad_news():
    (finding,) = remarks({}, None, rows={"dev": 20, "test": 30}, dev_in_test=5)
    assert finding.tone == "bad"
    assert finding.text.startswith("5 of 20 dev rows stand in test too")


def test_a_clear_lead_is_said_with_its_size():
    ((tone, text),) = told(MAIN, Standing("seed-only", test=[0.70, 0.71, 0.72]))
    assert tone == "good"
    assert "beats seed-only" in text and "+10.0 points" in text


def test_baselines_come_first_and_gold_last():
    names = ("gold", "retrieve-only", "random", "seed-only")
    texts = [text for _, text in told(MAIN, *(Standing(name, test=[0.5, 0.5]) for name in names))]
    assert [next(name for name in names if f" {name} " in text) for text in texts] == ["random", "seed-only", "retrieve-only", "gold"]


def test_losing_to_gold_rows_is_no_bad_news():
    ((tone, text),) = told(MAIN, Standing("gold", test=[0.9, 0.9]))
    assert tone == "plain"
    assert "does not beat gold" in text


def test_an_arm_that_was_not_run_is_not_compared():
    assert told(MAIN, Standing("fewgen", why="not run: this teacher only copies")) == []


def test_without_test_rows_dev_counts():
    ((_, text),) = told(Standing("main", dev=[0.9]), Standing("seed-only", dev=[0.8], test=[]))
    assert "dev accuracy 90.0 % against 80.0 %" in text and "beats" not in text


def test_without_a_trained_student_nothing_is_claimed():
    assert told(Standing("seed-only", test=[0.9])) == []
    assert told(Standing("main"), Standing("seed-only", test=[0.9])) == []


def test_a_standing_tells_mean_and_deviation_of_each_split():
    found = Standing("main", dev=[0.8, 0.9]).to_dict()
    assert found["dev"] == {"scores": [0.8, 0.9], "mean": pytest.approx(0.85), "sd": pytest.approx(0.5**0.5 / 10)}
    assert found["test"] == {"scores": [], "mean": None, "sd": None}


def test_a_teacher_that_copies_is_called_one():
    (finding,) = remarks({"copies": True, "teacher": "extractive"}, None)
    assert "'extractive' is not an LLM: it only copies" in finding.text


def test_missing_rows_are_said():
    (finding,) = remarks({}, {"total": {"asked": 240, "short": 12}})
    assert finding.tone == "bad"
    assert finding.text.startswith("12 of 240 rows")


def test_a_complete_run_of_a_teacher_that_writes_needs_no_remark():
    assert list(remarks({"copies": False}, {"total": {"asked": 240, "short": 0}})) == []
