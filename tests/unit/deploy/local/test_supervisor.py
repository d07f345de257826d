"""The rules of the supervisor that need no process."""

from pathlib import Path

from deploy.local.supervisor import KEPT_LOGS, delay_seconds, last_lines, rotate


def test_the_delay_doubles_from_a_fifth_of_a_second_to_ten() -> None:
    assert [delay_seconds(exits) for exits in range(1, 9)] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10]
    assert delay_seconds(5000) == 10


def test_logs_move_up_and_the_oldest_goes(tmp_path: Path) -> None:
    log_file = tmp_path / "imaging.log"
    for run in range(KEPT_LOGS + 3):
        rotate(log_file)
        log_file.write_text(f"run {run}")
    kept = [log_file, *(tmp_path / f"imaging.log.{number}" for number in range(1, KEPT_LOGS + 1))]
    assert [each.read_text() for each in kept] == ["run 5", "run 4", "run 3", "run 2"]
    assert sorted(tmp_path.iterdir()) == sorted(kept)


def test_the_last_words_of_a_log(tmp_path: Path) -> None:
    log_file = tmp_path / "imaging.log"
    assert last_lines(log_file) == ""
    log_file.write_text("".join(f"line {number}\n" for number in range(10_000)))
    assert last_lines(log_file, 2) == "line 9998\nline 9999"
