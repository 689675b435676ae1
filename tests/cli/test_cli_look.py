"""check, test, explain, preview, schema: they find what is wrong, say why, and write nothing."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from cli_builders import Folder, folder, lines
from click.testing import CliRunner

from connector.cli import cli
from connector.testing.simulators.zendesk import ZendeskSandbox

ANGRY = json.dumps(
    {
        "id": "1",
        "text": "Terrible service, my parcel is broken",
        "author": {"id": "ann", "name": "Ann"},
        "created_at": "2026-03-04T12:00:00Z",
    }
)

# --- check --------------------------------------------------------------------------------------------------------


def test_a_good_installation_passes(here: Folder) -> None:
    done = here.run("check")

    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "0 errors, 0 warnings\n")


def test_mistakes_of_both_files_are_told_at_once(here: Folder) -> None:
    here.file.write_text(here.file.read_text(encoding="utf-8").replace("email:", "emial:"), encoding="utf-8")
    here.mapping("rules:\n  - name: a\n    when: {tonne: negative}\n    set: {prioritty: high}\n")
    done = here.run("check")

    assert done.exit_code == 1
    told = "\n".join(lines(done.stdout))
    assert 'config.yaml:8:5 error helpdesks.desk.emial unknown key "emial" — did you mean "email"?' in told
    assert "10-rules.yaml:3:12 error" in told
    assert 'did you mean "tone"?' in told
    assert "10-rules.yaml:4:11 error" in told
    assert 'did you mean "priority"?' in told
    assert done.stderr == "3 errors, 0 warnings\n"


def test_a_script_gets_every_mistake_as_json(here: Folder) -> None:
    here.mapping("rules:\n  - name: a\n    set: {priority: hihg}\n")
    done = here.run("check", "--json")
    (told,) = json.loads(done.stdout)

    assert done.exit_code == 1
    assert set(told) == {"file", "line", "column", "path", "severity", "message"}
    assert (told["line"], told["column"], told["severity"]) == (3, 21, "error")
    assert json.loads(folder(here.path).run("check", "--json").stdout) == []


@pytest.mark.parametrize("content", ["a: [1", "a: 1\na: 2\n"])
def test_a_file_that_is_no_yaml_is_told_once(here: Folder, content: str) -> None:
    here.file.write_text(content, encoding="utf-8")
    done = here.run("check")

    assert done.exit_code == 1
    assert len({line.split("  ")[0] for line in done.stdout.splitlines()}) == len(done.stdout.splitlines())


def test_a_mapping_folder_that_is_not_there_is_told_once(here: Folder) -> None:
    text = here.file.read_text(encoding="utf-8").replace("mappings: mappings/", "mappings: mapings/")
    here.file.write_text(text, encoding="utf-8")
    done = here.run("check")

    assert done.exit_code == 1
    assert done.stdout.count("mapings") == 1
    assert "config.yaml:3:11" in done.stdout


WARNED = "rules:\n  - name: a\n    set: {priority: high}\n  - name: b\n    set: {priority: low}\n"


def test_warnings_count_only_when_asked(here: Folder) -> None:
    here.mapping(
        "rules:\n"
        "  - {name: a, when: {tone: negative}, set: {priority: high}, stop: true}\n"
        "  - {name: b, when: {tone: negative, kind: review}, set: {priority: low}}\n"
    )
    easy, strict = here.run("check"), here.run("check", "--strict")

    assert "warning" in easy.stdout
    assert (easy.exit_code, strict.exit_code) == (0, 1)
    assert easy.stderr == "0 errors, 1 warning\n"


# --- check --live -------------------------------------------------------------------------------------------------


def test_a_live_check_says_who_we_are_there(live: Folder) -> None:
    done = live.run("check", "--live")

    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr.startswith("0 errors, 0 warnings\n  desk: as Анна Администратор, ")
    assert "3 groups" in done.stderr
    assert "  feed: takes calls at /hooks/feed" in done.stderr


def test_a_wrong_token_is_told_although_zendesk_answers_200(tmp_path: Path, sandbox: ZendeskSandbox) -> None:
    done = folder(tmp_path / "live", desk=sandbox.address, token="wr0ng-t0ken").run("check", "--live")

    assert done.exit_code == 1
    assert lines(done.stdout)[0].startswith(f"{tmp_path}/live/config.yaml:5:3 error helpdesks.desk ")
    assert "wr0ng" not in done.output
    assert done.stderr.startswith("1 error, 0 warnings\n")


def test_a_helpdesk_that_is_away_is_told(here: Folder) -> None:
    done = here.run("check", "--live")

    assert done.exit_code == 1
    assert "helpdesks.desk  cannot connect: connection refused" in done.stdout
    assert "  found: takes what `connector submit` hands in" in done.stderr


def test_names_the_helpdesk_does_not_know_are_told_with_what_was_meant(live: Folder) -> None:
    live.mapping(
        "rules:\n"
        "  - name: a\n"
        "    set:\n"
        "      group: Подержка\n"
        "      brand: Второй бренд\n"
        "      form: Обращение\n"
        "      fields:\n"
        "        Tonne: positive\n"
        "        Tone: possitive\n"
        "        Followers: many\n"
        "        Verified author: 3\n"
        "        Author: any text\n"
    )
    done = live.run("check", "--live")
    told = [line.partition("10-rules.yaml:")[2] for line in lines(done.stdout)]

    assert done.exit_code == 1
    assert [line.split(" ")[0] for line in told] == ["4:14", "6:13", "8:9", "9:15", "10:20", "11:26"]
    assert 'there is no group "Подержка" — did you mean "Поддержка"?' in told[0]
    assert 'there is no form "Обращение" — did you mean "Обращение из соцсетей"?' in told[1] or "allowed" in told[1]
    assert 'there is no ticket field "Tonne" — did you mean "Tone"?' in told[2]
    assert '"possitive" is not a value of "Tone" — did you mean "positive"?' in told[3]
    assert 'the field "Followers" takes a whole number' in told[4]
    assert 'the field "Verified author" is a checkbox: true or false' in told[5]


def test_a_live_check_writes_nothing(live: Folder, sandbox: ZendeskSandbox) -> None:
    live.run("check", "--live")

    assert {request.split(" ")[0] for request in sandbox.requests()} == {"GET"}
    assert not live.database.exists()


# --- test ---------------------------------------------------------------------------------------------------------

CASES = """\
tests:
  - name: an angry one
    mention: {text: "Terrible service!"}
    expect: {priority: high, tags: [complaint]}
  - name: a wrong hope
    mention: {text: "Terrible service!"}
    expect: {priority: low}
"""


def test_tests_of_the_mapping_run(here: Folder) -> None:
    (here.path / "mappings" / "tests").mkdir()
    here.write("mappings/tests/a.yaml", CASES)
    done = here.run("test")

    assert done.exit_code == 1
    assert done.stderr == "1 passed, 1 failed\n"
    assert any(line.startswith("ok an angry one") for line in lines(done.stdout))
    assert 'priority: expected "low", got "high"' in done.stdout
    assert "a.yaml:5" in done.stdout
    assert [(one["name"], one["ok"]) for one in here.json("test")] == [
        ("an angry one", True),
        ("a wrong hope", False),
    ]


def test_a_mapping_without_tests_says_how_to_write_one(here: Folder) -> None:
    done = here.run("test")

    assert (done.exit_code, done.stdout) == (0, "")
    assert "docs/mapping.md" in done.stderr


def test_the_tests_need_no_secrets(here: Folder) -> None:
    text = here.file.read_text(encoding="utf-8").replace("api_token: sandbox", "api_token: !env NOT_SET_HERE")
    here.file.write_text(text, encoding="utf-8")

    assert here.run("test").exit_code == 0
    assert here.run("check").exit_code == 1


def test_the_mapping_may_be_another_folder(here: Folder, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.yaml").write_text("rules: []\n", encoding="utf-8")
    file = here.write("m.json", ANGRY)

    shown = here.run("explain", "--file", file, "--mappings", str(tmp_path / "other"), "--json")
    assert json.loads(shown.stdout)["rules"] == []
    assert here.run("test", "--mappings", str(tmp_path / "nowhere")).exit_code == 2


# --- explain ------------------------------------------------------------------------------------------------------


def test_a_mention_in_a_file_is_explained(here: Folder) -> None:
    file = here.write("m.json", ANGRY)
    done = here.run("explain", "--file", file)

    assert (done.exit_code, done.stderr) == (0, "")
    assert "rules     complaint" in done.stdout
    because = [line for line in lines(done.stdout) if line.startswith("because priority high complaint")]
    assert len(because) == 1
    assert "10-rules.yaml:4" in because[0]
    explained = here.json("explain", "--file", file)
    assert explained["decision"] == "ticket"
    assert explained["set"] == {"priority": "high", "tags": ["complaint"]}
    assert explained["tone"]["label"] in ("negative", "very_negative")


def test_what_did_not_fit_is_explained_too(here: Folder) -> None:
    file = here.write("m.json", ANGRY.replace("Terrible service, my parcel is broken", "Hello"))

    assert "not       complaint" in here.run("explain", "--file", file).stdout


def test_a_mention_of_the_journal_is_explained_by_what_was_decided_then(live: Folder) -> None:
    live.run("submit", "Terrible service!", "--url", "https://x.example/1")
    before = live.run("explain", "1").stdout
    live.carry()
    live.mapping("rules: []\n")
    after = live.run("explain", "1").stdout

    assert "delivery 1, ready" in before
    assert "delivery 1, done, ticket 1" in after
    for shown in (before, after):
        assert "rules     complaint" in shown
    reference = live.json("deliveries", "list")[0]["reference"]
    assert live.run("explain", reference).stdout == after
    assert live.run("explain", "ticket:1").stdout == after


@pytest.mark.parametrize("reference", ["99", "found:nobody", "ticket:77", "…", "%", ""])
def test_what_the_journal_does_not_know_is_told(here: Folder, reference: str) -> None:
    here.migrated()
    done = here.run("explain", reference)

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (
        f'error: the journal knows nothing of "{reference}"; `connector deliveries list` shows what it knows\n'
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("[", "JSON"),
        ("{}", "id is missing; every mention needs id, text and author.id"),
        (f"[{ANGRY}, {ANGRY.replace('1', '2')}]", "holds 2 mentions; `connector preview --file` takes many"),
    ],
)
def test_a_file_that_holds_no_single_mention_is_told(here: Folder, content: str, sentence: str) -> None:
    file = here.write("m.json", content)
    done = here.run("explain", "--file", file)

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {file}")
    assert sentence in done.stderr


# --- preview ------------------------------------------------------------------------------------------------------

CSV = """\
id,text,author.id,thread_id,created_at
1,Terrible service!,Ann,t1,2026-03-04T12:00:00Z
2,Still terrible!,Ann,t1,2026-03-04T13:00:00Z
2,Still terrible!,Ann,t1,2026-03-04T13:00:00Z
3,Great shop,Bob,t2,2026-03-05T12:00:00Z
4,Worst hiring ever,Eve,t3,2026-03-05T12:00:00Z
"""

IGNORING = """\
rules:
  - name: jobs
    when: {text: {words: [hiring]}}
    ignore: a job advert
    allow_negative: true
"""


def test_a_preview_counts_what_would_become_of_them(here: Folder) -> None:
    here.mapping(IGNORING, "20-jobs.yaml")
    done = here.run("preview", "--file", here.write("a.csv", CSV))

    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("5 seen → 2 tickets (")
    assert "1 appended, 1 duplicate, 1 ignored\n" in done.stdout
    assert "warning: 1 negative mention would be ignored" in done.stdout
    assert "2026-03-04" in done.stdout
    assert "about 7 calls to the helpdesk" in done.stdout
    assert not here.database.exists()
    counts = here.json("preview", "--file", str(here.path / "a.csv"))
    assert (counts["seen"], counts["tickets"], counts["appended"], counts["duplicates"]) == (5, 2, 1, 1)
    assert counts["ignored"] == {"a job advert": 1}
    assert [ticket["priority"] for ticket in counts["decisions"]][:1] == ["high"]


def test_as_many_samples_are_shown_as_asked(here: Folder) -> None:
    file = here.write("a.csv", CSV)

    assert here.run("preview", "--file", file, "--samples", "0").stdout.count("─" * 20) == 0
    assert here.run("preview", "--file", file, "--samples", "1").stdout.count("─" * 78) == 1


def test_a_file_with_mistakes_is_told_whole(here: Folder) -> None:
    file = here.write("a.jsonl", f'{ANGRY}\n{{"id": 1}}\nnonsense\n')
    done = here.run("preview", "--file", file)

    assert done.exit_code == 78
    assert [line.split(" ")[0].removeprefix(file) for line in lines(done.stdout)] == [":2:1", ":3:1"]


# --- schema -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["mention", "mapping", "config"])
def test_a_schema_is_a_schema(what: str) -> None:
    schema = json.loads(CliRunner().invoke(cli, ["schema", what]).stdout)

    jsonschema.validators.validator_for(schema).check_schema(schema)


def test_the_schema_of_a_mention_accepts_what_explain_accepts() -> None:
    schema = json.loads(CliRunner().invoke(cli, ["schema", "mention"]).stdout)

    jsonschema.validate(json.loads(ANGRY), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"text": 5}, schema)
