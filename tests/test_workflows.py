"""The workflows of .github: least permissions, no secret, and publishing that runs nothing else."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github").rglob("*.y*ml"))
PUBLISHER = "pypa/gh-action-pypi-publish"
AUDIT = "hatch run audit"


def faults(text: str) -> list[str]:
    """What lets a stranger, or a stolen token, do more than it must.

    Args:
        text: a workflow, YAML.
    """
    workflow = yaml.safe_load(text)
    # YAML 1.1 takes `on` for True.
    triggers = set(workflow[True])
    found = [f"runs on {name}" for name in triggers & {"pull_request_target", "workflow_run"}]
    if workflow.get("permissions") != {"contents": "read"}:
        found.append("permissions of all jobs")
    if re.search(r"\bsecrets\b|\bgithub\.token\b|(?<!id-)\btoken:", text):
        found.append("a secret")
    for name, job in workflow["jobs"].items():
        is_publisher = any(used(step) == PUBLISHER for step in job["steps"])
        wanted = {"id-token": "write"} if is_publisher else None
        if job.get("permissions") != wanted:
            found.append(f"permissions of {name}")
        if "timeout-minutes" not in job:
            found.append(f"no end of {name}")
        found += [f"{name}: {fault}" for step in job["steps"] for fault in faults_of_step(step)]
    return found


def used(step: dict[str, Any]) -> str:
    """The action of a step, without its version."""
    return str(step.get("uses", "")).partition("@")[0]


def faults_of_step(step: dict[str, Any]) -> list[str]:
    found = []
    options = step.get("with", {})
    # Else each later step could push.
    if used(step) == "actions/checkout" and options.get("persist-credentials") is not False:
        found.append("credentials are left in the clone")
    if used(step) == PUBLISHER and (options.keys() & {"user", "password"}):
        found.append("publishes with a password")
    # A title or a branch of a stranger would be part of the program.
    if set(re.findall(r"\$\{\{\s*([\w-]+)", str(step.get("run", "")))) - {"matrix"}:
        found.append("a program with text of others in it")
    return found


def workflow(name: str) -> Any:
    return yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text())


def programs(job: dict[str, Any]) -> list[str]:
    return [step["run"] for step in job["steps"] if "run" in step]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_may_do_no_more_than_they_must(path: Path) -> None:
    assert faults(path.read_text()) == []


def test_the_workflows_are_those_that_are_checked() -> None:
    assert [path.name for path in WORKFLOWS] == ["ci.yml", "release.yml"]
    assert {path.suffix for path in (ROOT / ".github").rglob("*") if path.is_file()} == {".yml"}


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('tags: ["v*"]', "tags: []\n  pull_request_target:", "runs on pull_request_target"),
        ("contents: read", "contents: write", "permissions of all jobs"),
        ("permissions:\n  contents: read\n", "", "permissions of all jobs"),
        ("    permissions:\n      id-token: write\n", "", "permissions of publish"),
        ("id-token: write", "id-token: write\n      contents: write", "permissions of publish"),
        (
            "  build:\n",
            "  build:\n    permissions:\n      id-token: write\n",
            "permissions of build",
        ),
        ("    timeout-minutes: 15\n", "", "no end of build"),
        ("persist-credentials: false", "fetch-depth: 1", "credentials are left in the clone"),
        ("attestations: true", "password: x", "publishes with a password"),
        ("attestations: true", "x: ${{ secrets.PYPI }}", "a secret"),
        ('"$GITHUB_REF_NAME"', "${{ github.ref_name }}", "a program with text of others"),
    ],
)
def test_what_it_would_find(old: str, new: str, fault: str) -> None:
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    assert old in text
    assert any(fault in each for each in faults(text.replace(old, new)))


def test_publishing_is_trusted_and_runs_nothing_else() -> None:
    """What has the right to publish runs no code of ours, nor of what we install."""
    release = workflow("release.yml")
    assert release[True] == {"push": {"tags": ["v*"]}}
    assert set(release["jobs"]) == {"build", "publish"}
    publish = release["jobs"]["publish"]
    assert publish["needs"] == "build"
    assert publish["environment"] == "pypi"
    taken, checked, published = publish["steps"]
    assert used(taken) == "actions/download-artifact"
    assert checked["run"] == "cd dist && sha256sum --check SHA256SUMS && rm SHA256SUMS"
    assert used(published) == PUBLISHER
    assert published["with"] == {"attestations": True}


def test_known_vulnerabilities_are_looked_for() -> None:
    """At each change and every week; and before a release is built."""
    ci = workflow("ci.yml")
    assert set(ci[True]) == {"push", "pull_request", "schedule"}
    assert ci[True]["push"] == {"branches": ["main"]}
    assert programs(ci["jobs"]["audit"])[-1] == AUDIT
    assert not any("continue-on-error" in each or "if" in each for each in steps_and_jobs(ci))
    build = programs(workflow("release.yml")["jobs"]["build"])
    assert build.index(AUDIT) < next(at for at, each in enumerate(build) if "run release" in each)


def steps_and_jobs(given: dict[str, Any]) -> list[dict[str, Any]]:
    jobs = list(given["jobs"].values())
    return [*jobs, *(step for job in jobs for step in job["steps"])]


def test_they_are_looked_for_in_all_distributions() -> None:
    audit = tomllib.loads((ROOT / "hatch.toml").read_text())["envs"]["audit"]
    members = {
        each if isinstance(each, str) else each["path"] for each in audit["workspace"]["members"]
    }
    assert members == {
        str(path.parent.relative_to(ROOT)) for path in ROOT.glob("packages/*/pyproject.toml")
    }
    assert "--ignore-vuln" not in audit["scripts"]["run"]
