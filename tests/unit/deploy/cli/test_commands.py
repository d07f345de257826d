"""What the commands ask, what they show, and what the shell is told."""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.core import TyperGroup
from typer.testing import Result

from deploy.cli.app import app
from deploy.cli.shown import ExitCode
from services.jobs.breakers.store import OpenBreaker
from shared.encoding import to_json
from tests.unit.deploy.cli.conftest import KEY, FakeGateway, Souk

JOB: dict[str, Any] = {
    "id": "01a20b4c-82b3-7004-8754-98093ac673d4",
    "type": "send-email",
    "priority": 2,
    "state": "failed",
    "attempt": 3,
    "max_attempts": 3,
    "payload": {"message": "x"},
    "cause": "01a20b4c-82b3-7357-9f9b-3019c8b43202",
    "vendor_id": None,
    "created_at": "2026-01-31T12:00:00Z",
    "run_at": None,
    "started_at": "2026-01-31T12:00:01Z",
    "finished_at": "2026-01-31T12:00:02Z",
    "retry_at": None,
    "wait_ms": 254,
    "run_ms": 104,
    "result": None,
    "error": {"class": "MailboxDeferred", "message": "[full] try later"},
    "attempts": [],
}
LIST = "GET /api/admin/jobs/list"
COUNTED = {"jobs": 2, "over_seconds": 0.1, "dry_run": True, "more": False, "ids": []}


def leaves(command: Any, path: tuple[str, ...] = ()) -> list[tuple[str, Any]]:
    """Every command that does something, with its words."""
    if isinstance(command, TyperGroup):
        return [leaf for name, inner in command.commands.items() for leaf in leaves(inner, (*path, name))]
    return [(" ".join(path), command)]


COMMANDS = dict(leaves(typer.main.get_command(app)))


def test_the_commands_of_the_design_are_there() -> None:
    wanted = """
        up;down;status;demo;migrate;topology apply;bench;audit;user add;key add;config check;config list;cache show;
        cache clear;schedule list;schedule run;schedule pause;schedule resume;schedule preview;jobs stats;jobs list;
        jobs show;jobs retry;jobs cancel;jobs tail;jobs enqueue;jobs groups;jobs pause;jobs resume;jobs workers;
        jobs types;jobs events;jobs clear-history;jobs dead list;jobs dead show;jobs dead replay;jobs dead purge;
        config secrets;seed
    """
    assert {name.strip() for name in wanted.split(";")} <= COMMANDS.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does_and_answers_in_json(name: str, souk: Souk) -> None:
    told = souk.ok(*name.split(), "--help")
    assert "Usage: souk" in told
    assert COMMANDS[name].help
    if name != "bench":
        assert "--json" in told


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_an_example(name: str) -> None:
    told = COMMANDS[name].epilog or ""
    assert told.startswith("Example: ")
    assert f"souk {name}" in told


def test_a_list_is_a_line_of_json_per_item_from_all_its_pages(gateway: FakeGateway, souk: Souk) -> None:
    gateway.say(LIST, {"items": [JOB] * 2, "next": "here"})
    gateway.say(LIST, {"items": [JOB], "next": None})
    lines = souk.ok("jobs", "list", "--state", "failed", "--limit", "3", "--json").splitlines()
    assert [json.loads(line)["id"] for line in lines] == [JOB["id"]] * 3
    assert [query for _, query, _, _ in gateway.asked] == [
        {"limit": "3", "state": "failed"},
        {"limit": "1", "cursor": "here", "state": "failed"},
    ]
    assert gateway.asked[0][3] == f"Bearer {KEY}"


def test_a_table_shows_text_as_it_is(gateway: FakeGateway, souk: Souk) -> None:
    gateway.say(LIST, {"items": [JOB], "next": None})
    told = souk.ok("jobs", "list")
    assert JOB["id"] in told
    assert "MailboxDeferred: [full] try later" in told


def test_one_thing_is_one_document(gateway: FakeGateway, souk: Souk) -> None:
    gateway.say("GET /api/admin/jobs", {"success": True, "job": JOB})
    assert souk.json("jobs", "show", JOB["id"]) == JOB
    assert "3 of 3" in souk.ok("jobs", "show", JOB["id"])


@pytest.mark.parametrize(
    ("status", "code"),
    [(404, 1), (403, 1), (409, 1), (401, 1), (422, 2), (400, 2), (429, 3), (503, 3), (500, 3)],
)
def test_a_refusal_is_its_sentence_and_an_exit_code(gateway: FakeGateway, souk: Souk, status: int, code: int) -> None:
    wrong = {"pointer": "/id", "code": "x", "detail": "an id"}
    gateway.say("GET /api/admin/jobs", {"detail": "It is [not] so.", "request_id": "r1", "errors": [wrong]}, status)
    result = souk("jobs", "show", "x")
    assert (result.exit_code, result.stdout) == (code, "")
    assert "Traceback" not in result.stderr
    if status == 401:
        assert "--key-file" in result.stderr
    else:
        assert result.stderr.startswith("It is [not] so.\n  /id: an id\n")


def complaint_of(result: Result) -> dict[str, Any]:
    """What a program reads of a failure: the last line of standard error, and nothing on standard output."""
    assert result.stdout == ""
    error: dict[str, Any] = json.loads(result.stderr.splitlines()[-1])["error"]
    assert error["exit_code"] == result.exit_code
    return error


def test_with_json_a_refusal_is_json_with_what_the_gateway_said(gateway: FakeGateway, souk: Souk) -> None:
    problem = {"detail": "No.", "request_id": "r1", "errors": [{"pointer": "/id", "code": "x", "detail": "an id"}]}
    gateway.say("GET /api/admin/jobs", problem, 422)
    error = complaint_of(souk("jobs", "show", "x", "--json"))
    assert error == {"exit_code": 2, "kind": "usage", "detail": "No.\n  /id: an id", "problem": problem}


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("jobs", "show"), "usage"),
        (("jobs", "stats", "--bad"), "usage"),
        (("jobs", "list", "--state", "odd"), "usage"),
        (("jobs", "retry", "x", "--dry-run"), "usage"),
        (("config", "check", "--process", "nobody"), "usage"),
        (("cache", "clear"), "usage"),
        (("--gateway", "http://127.0.0.1:9", "jobs", "stats"), "away"),
        (("schedule", "preview", "x"), "failed"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else words,
)
def test_with_json_whatever_complains_does_it_in_json(
    gateway: FakeGateway, souk: Souk, words: tuple[str, ...], kind: str
) -> None:
    gateway.say("GET /api/admin/schedules", {"items": []})
    assert complaint_of(souk(*words, "--json"))["kind"] == kind


def test_a_gateway_that_is_away_is_said_with_what_to_do(souk: Souk) -> None:
    result = souk("--gateway", "http://127.0.0.1:9", "jobs", "stats")
    assert result.exit_code == ExitCode.AWAY
    assert result.stderr.startswith("http://127.0.0.1:9 does not answer (nothing listens there): ")


def test_what_is_no_address_of_a_gateway_is_wrong_usage(souk: Souk) -> None:
    result = souk("--gateway", "souk.example.com", "jobs", "stats")
    assert result.exit_code == ExitCode.USAGE
    assert "begins with http:// or https://" in result.stderr


def test_without_a_stack_it_is_said_how_to_get_one(souk: Souk) -> None:
    del souk.environment["SOUK_GATEWAY_URL"]
    for command in (("jobs", "stats"), ("status",)):
        result = souk(*command)
        assert result.exit_code == ExitCode.AWAY
        assert "souk up" in result.stderr


def test_a_wrong_setting_of_the_command_is_wrong_usage(souk: Souk) -> None:
    souk.environment["SOUK_GATEWAY_ULR"] = "x"
    result = souk("jobs", "stats")
    assert result.exit_code == ExitCode.USAGE
    assert "did you mean SOUK_GATEWAY_URL?" in result.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("cache", "clear"),
        ("jobs", "cancel", "x"),
        ("jobs", "retry"),
        ("jobs", "clear-history"),
        ("jobs", "dead", "replay"),
        ("jobs", "dead", "purge"),
        ("jobs", "dead", "purge", "x"),
    ],
    ids=" ".join,
)
def test_what_destroys_or_moves_much_needs_a_yes(gateway: FakeGateway, souk: Souk, command: tuple[str, ...]) -> None:
    counted = {"jobs": 2, "messages": 1, "over_seconds": 0.1, "dry_run": True, "letters": 3}
    gateway.say("POST /api/admin/jobs/retry", counted)
    gateway.say("POST /api/admin/dead-letters/replay", counted)
    gateway.say("POST /api/admin/dead-letters/purge", counted)
    result = souk(*command)
    assert result.exit_code == ExitCode.USAGE
    assert "say --yes" in result.stderr
    assert all(body and body["dry_run"] for _, _, body, _ in gateway.asked)


def test_a_dry_run_only_counts(gateway: FakeGateway, souk: Souk) -> None:
    gateway.say("POST /api/admin/jobs/retry", COUNTED | {"more": True})
    told = souk.ok("jobs", "retry", "--type", "send-email", "--cause", "<n> bytes too many", "--dry-run")
    assert told == "2 failed jobs would be retried over 100 ms. More fit: ask again for those.\n"
    filters = {"type": "send-email", "cause": "<n> bytes too many"}
    assert [body for _, _, body, _ in gateway.asked] == [{"per_second": 20.0, "dry_run": True, **filters}]


@pytest.mark.parametrize(("ends", "code"), [({"completed": 2}, 0), ({"completed": 1, "failed": 1}, 1)])
def test_many_that_are_retried_are_followed_until_they_are_over(
    gateway: FakeGateway, souk: Souk, monkeypatch: pytest.MonkeyPatch, ends: dict[str, int], code: int
) -> None:
    monkeypatch.setattr("deploy.cli.bulk.LOOK_SECONDS", 0.01)
    gateway.say("POST /api/admin/jobs/retry", COUNTED)
    gateway.say("POST /api/admin/jobs/retry", COUNTED | {"dry_run": False, "ids": ["a", "b"]})
    gateway.say("POST /api/admin/jobs/states", {"states": {"pending": 1, "completed": 1}})
    gateway.say("POST /api/admin/jobs/states", {"states": ends})
    result = souk("jobs", "retry", "--yes", "--wait", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (code, {"states": ends})
    assert [body for _, _, body, _ in gateway.asked[2:]] == [{"ids": ["a", "b"]}] * 2


def test_the_history_is_cleared_until_none_is_left(gateway: FakeGateway, souk: Souk) -> None:
    gateway.say("GET /api/admin/jobs", {"stats": {"completed": 5, "failed": 1, "cancelled": 0}})
    gateway.say("POST /api/admin/jobs", {"cleared": 4, "more": True})
    gateway.say("POST /api/admin/jobs", {"cleared": 2, "more": False})
    assert souk.json("jobs", "clear-history", "--yes") == {"cleared": 6}


def test_dead_letters_are_purged_until_as_many_are_gone_as_were_counted(gateway: FakeGateway, souk: Souk) -> None:
    purge = "POST /api/admin/dead-letters/purge"
    for letters in (3, 2, 1):
        gateway.say(purge, {"letters": letters, "dry_run": letters == 3})
    assert souk.json("jobs", "dead", "purge", "--queue", "q", "--yes") == {"letters": 3, "dry_run": False}
    assert [(body["dry_run"], body["queue"]) for _, _, body, _ in gateway.asked] == [(True, "q"), *[(False, "q")] * 2]


def test_one_dead_letter_is_deleted(gateway: FakeGateway, souk: Souk) -> None:
    gateway.say("DELETE /api/admin/dead-letters/x", {})
    assert souk.ok("jobs", "dead", "purge", "x", "--yes") == "It is deleted.\n"


def test_a_type_that_stands_is_shown_with_the_reason(gateway: FakeGateway, souk: Souk) -> None:
    since = "2026-01-31T12:00:00Z"
    health = {"active_workers": {"send-email": 1, "process-image": 2}, "oldest_waiting_seconds": {}}
    opened = datetime.fromisoformat(since)
    breaker = OpenBreaker("send-email", "w", opened, opened, "MailServerDown", "It cannot be reached.")
    breakers = [json.loads(to_json(breaker))]
    paused = [{"type": "process-image", "since": since, "actor": "ops 1"}]
    gateway.say("GET /api/admin/jobs", {"health": health})
    gateway.say("GET /api/admin/job-types", {"items": paused, "breakers": breakers})
    [_, mail, picture] = souk.ok("jobs", "types").splitlines()
    assert re.search(r"breaker open since .*: MailServerDown: It cannot be reached\.", mail)
    assert re.search(r"paused since .* by ops 1", picture)
    gateway.say("GET /api/admin/jobs", {"stats": {"total": 0}, "open_breakers": breakers})
    souk.ok("jobs", "types")
    assert "send-email stands since" in souk.ok("jobs", "stats")


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("souk jobs pa", {"pause"}),
        ("souk jobs pause send-", {"send-email", "send-notification"}),
        ("souk jobs list --state can", {"cancelled"}),
        ("souk config check --process cat", {"catalog-worker"}),
        ("souk schedule run daily-m", {"daily-metrics"}),
    ],
)
def test_the_shell_completes_commands_and_names(souk: Souk, words: str, offered: set[str]) -> None:
    asked = {"_SOUK_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    souk.environment |= asked
    assert set(souk().stdout.split()) == offered


def test_many_jobs_are_made_from_a_file(gateway: FakeGateway, souk: Souk, tmp_path: Path) -> None:
    gateway.say("POST /api/admin/jobs/enqueue", JOB, 201)
    lines = tmp_path / "jobs.ndjson"
    lines.write_text('{"type": "send-email", "payload": {}}\n\n{"type": "cleanup-cache", "payload": {}}\n')
    assert souk.ok("jobs", "enqueue", "--from", str(lines)) == "2 jobs made.\n"
    assert [body["type"] for _, _, body, _ in gateway.asked] == ["send-email", "cleanup-cache"]


def test_a_file_of_jobs_stops_at_the_line_that_is_refused(gateway: FakeGateway, souk: Souk, tmp_path: Path) -> None:
    gateway.say("POST /api/admin/jobs/enqueue", JOB, 201)
    gateway.say("POST /api/admin/jobs/enqueue", {"detail": "No such type."}, 422)
    lines = tmp_path / "jobs.ndjson"
    lines.write_text('{"type": "send-email"}\n\n{"type": "x"}\n{"type": "y"}\n')
    result = souk("jobs", "enqueue", "--from", str(lines))
    assert (result.exit_code, len(gateway.asked)) == (2, 2)
    assert result.stderr == "Line 3: No such type.\n1 job made before it.\n"
    lines.write_text('{"type": "send-email"}\n{\n')
    result = souk("jobs", "enqueue", "--from", str(lines), "--json")
    assert "line 2 of" in complaint_of(result)["detail"]
    assert len(gateway.asked) == 2


def test_many_jobs_are_cancelled_by_a_filter_and_never_without_one(gateway: FakeGateway, souk: Souk) -> None:
    answer = {"action": "cancel", "jobs": 2, "over_seconds": 0.0, "dry_run": True, "more": False}
    gateway.say("POST /api/admin/jobs/bulk", answer)
    gateway.say("POST /api/admin/jobs/bulk", answer | {"dry_run": False})
    assert souk("jobs", "cancel", "--yes").exit_code == ExitCode.USAGE
    assert souk("jobs", "cancel", "x", "--type", "send-email", "--yes").exit_code == ExitCode.USAGE
    assert gateway.asked == []
    told = souk.ok("jobs", "cancel", "--type", "send-email", "--state", "pending", "--yes")
    assert told == "2 jobs cancelled, or asked to stop where they run.\n"
    asked = {"action": "cancel", "type": "send-email", "state": "pending"}
    assert [body for _, _, body, _ in gateway.asked] == [asked | {"dry_run": True}, asked | {"dry_run": False}]


@pytest.mark.parametrize(("state", "code"), [("completed", 0), ("failed", 1), ("cancelled", 1)])
def test_following_one_job_ends_as_it_does(gateway: FakeGateway, souk: Souk, state: str, code: int) -> None:
    gateway.say("GET /api/admin/jobs", {"job": JOB | {"state": "pending"}})
    gateway.say("GET /api/admin/jobs", {"job": JOB | {"state": state}})
    result = souk("jobs", "tail", JOB["id"], "--interval", "0.2", "--json")
    assert result.exit_code == code
    assert [json.loads(line)["change"] for line in result.stdout.splitlines()] == ["made", state]


def test_health_of_an_installation_elsewhere(gateway: FakeGateway, souk: Souk) -> None:
    term = {"name": "workers", "cost": 10, "note": "No worker reads send-email.", "advice": "Start one."}
    gateway.say("GET /api/admin/monitoring", {"health": {"score": 70, "status": "degraded", "terms": [term]}})
    result = souk("status")
    assert result.exit_code == 1
    assert "-10 workers: No worker reads send-email.\n     Start one." in result.stdout


def test_the_key_of_the_stack_here_goes_to_no_other_gateway(gateway: FakeGateway, souk: Souk, tmp_path: Path) -> None:
    del souk.environment["SOUK_API_KEY"]
    account = {"email": "x@example.com", "password": "p", "api_key": "souk_local_key"}
    run: dict[str, Any] = {
        "gateway": "http://127.0.0.1:9",
        "mailbox": "",
        "management": None,
        "amqp_url": "",
        "database_url": "",
        "supervisor": 1,
        "processes": [],
        "accounts": {"admin": account, "ops": account, "channel": {"api_key": "k"}, "vendors": []},
    }
    (tmp_path / "run.json").write_text(json.dumps(run))
    gateway.say("GET /api/admin/jobs", {"stats": {"total": 0}})
    souk.ok("jobs", "stats")
    assert gateway.asked[0][3] is None
    (tmp_path / "run.json").write_text(json.dumps(run | {"gateway": gateway.url}))
    souk.ok("jobs", "stats")
    assert gateway.asked[1][3] == "Bearer souk_local_key"


def test_a_key_may_come_by_a_file(gateway: FakeGateway, souk: Souk, tmp_path: Path) -> None:
    gateway.say("GET /api/admin/jobs", {"stats": {"total": 0}})
    (tmp_path / "key").write_text("souk_filed_key\n")
    souk.ok("--key-file", str(tmp_path / "key"), "jobs", "stats")
    souk.ok("--key-file", "-", "jobs", "stats", given="souk_piped_key\n")
    assert [asked[3] for asked in gateway.asked] == ["Bearer souk_filed_key", "Bearer souk_piped_key"]


def test_config_check_says_all_that_is_wrong(souk: Souk, tmp_path: Path) -> None:
    file = tmp_path / "relay.env"
    file.write_text("# a relay\nSOUK_OPS_PORT=high\nexport SOUK_LOG_LEVL='x'\nSOUK_AMQP_URL=amqp://a:hunter2@h/v\n")
    result = souk("config", "check", "--process", "relay", "--env-file", str(file))
    assert result.exit_code == 1
    assert {line.split(": ")[1] for line in result.stdout.splitlines()} == {
        "SOUK_LOG_LEVL",
        "SOUK_CATALOG_DATABASE_URL",
        "SOUK_OPS_PORT",
    }
    assert "hunter2" not in result.output


def test_config_list_shows_no_secret(souk: Souk, tmp_path: Path) -> None:
    file = tmp_path / "relay.env"
    file.write_text("SOUK_AMQP_URL=amqp://a:hunter2@h/v\nSOUK_OPS_PORT=91\n")
    lines = souk.ok("config", "list", "--process", "relay", "--env-file", str(file), "--json").splitlines()
    values = {each["name"]: each["value"] for each in map(json.loads, lines)}
    assert (values["SOUK_AMQP_URL"], values["SOUK_OPS_PORT"]) == ("given by SOUK_AMQP_URL", "91")
    assert values["SOUK_CATALOG_DATABASE_URL"] == "not given"


def test_config_check_tries_the_addresses(souk: Souk, tmp_path: Path) -> None:
    file = tmp_path / "relay.env"
    file.write_text(
        "SOUK_AMQP_URL=amqp://a:hunter2@127.0.0.1:9/v\nSOUK_CATALOG_DATABASE_URL=postgresql://a:hunter2@127.0.0.1:9/d\n"
    )
    result = souk("config", "check", "--process", "relay", "--env-file", str(file), "--connect")
    assert result.exit_code == ExitCode.AWAY
    assert "SOUK_AMQP_URL: it cannot be reached" in result.stdout
    assert "SOUK_CATALOG_DATABASE_URL: it cannot be reached" in result.stdout
    assert "hunter2" not in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("user", "add", "vendor", "--name", "N", "--email", "n@example.com"),
        ("user", "add", "ops", "--name", "N", "--email", "no address"),
        ("user", "add", "ops", "--name", "N", "--email", "n@example.com"),
        ("user", "add", "ops", "--name", "N"),
        ("user", "add", "channel", "--name", "N", "--email", "n@example.com"),
    ],
)
def test_an_account_that_cannot_be_is_wrong_usage_and_shows_no_password(souk: Souk, arguments: tuple[str, ...]) -> None:
    result = souk(*arguments, given="hunter2\n")
    assert result.exit_code == ExitCode.USAGE
    assert "hunter2" not in result.output


def test_workers_are_listed_with_the_jobs_in_their_hands(gateway: FakeGateway, souk: Souk) -> None:
    worker = {"worker": "notifier@a:7", "version": "0.1.0", "types": ["send-email"], "seen_at": "2026-01-31T12:00:00Z"}
    gateway.say("GET /api/admin/workers", {"items": [worker | {"held": [JOB["id"]]}, worker | {"held": []}]})
    [_, busy, idle] = souk.ok("jobs", "workers").splitlines()
    assert busy.split()[-2:] == ["send-email", JOB["id"]]
    assert idle.split()[-2:] == ["send-email", "nothing"]
