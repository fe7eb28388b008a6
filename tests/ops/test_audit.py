"""What `make audit` says of pip-audit's answers, of which only one is a pass."""

import json
import os
import subprocess

import pytest

from tests.ops.known import ROOT

SOUND = {"name": "numpy", "version": "2.4.0", "vulns": []}
FLAWED = {
    "name": "redis",
    "version": "8.0.0",
    "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["8.0.1"], "description": "…"}],
}
UNKNOWN = {"name": "typer", "skip_reason": "Dependency not found on PyPI"}


def audit(text, required="0"):
    done = subprocess.run(
        [ROOT / ".ci" / "audit"],
        input=text,
        env=os.environ | {"CLV_REQUIRE_AUDIT": required},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def answer(*packages):
    return json.dumps({"dependencies": packages, "fixes": []})


def test_no_known_flaw():
    assert audit(answer(SOUND), "1") == (0, "audit: 1 packages, no known flaws.\n")


@pytest.mark.parametrize("others", [(), (SOUND,), (UNKNOWN,)])
def test_a_flaw_fails_and_says_what_mends_it(others):
    status, said = audit(answer(*others, FLAWED))
    assert status == 1
    assert "redis 8.0.0: PYSEC-2026-1, fixed in: 8.0.1" in said


@pytest.mark.parametrize("text", ["", answer(UNKNOWN), answer(SOUND, UNKNOWN)])
def test_without_advisories_one_line_says_so_and_it_can_be_required(text):
    for required in ("0", "1"):
        status, said = audit(text, required)
        assert status == int(required)
        assert said.startswith("LEFT OUT: the audit of dependencies: ")
        assert said.count("\n") == 1
