"""The Dockerfile: what it copies is there, its steps make a working `clv`."""

import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch

import pytest

from streams.settings import Settings
from tests.ops.known import ROOT

SOURCE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
BUILD, RUN = SOURCE.split("\nFROM ")[1:]
COPIES = re.findall(r"^COPY ((?!--from).+)$", SOURCE, re.MULTILINE)


def copied():
    """Paths that the image is built of."""
    return [path for line in COPIES for path in line.split()[:-1]]


def test_what_is_copied_exists_and_is_not_ignored():
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    kept = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    assert set(copied()) == kept
    for path in copied():
        assert (ROOT / path).exists()


def test_nothing_private_can_get_into_the_image():
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line]
    for path in (".env", ".git", "tests", "grafana", ".venv"):
        assert not any(fnmatch(path, line[1:]) for line in lines if line.startswith("!"))


def test_it_is_pinned_and_built_in_two_stages():
    assert re.search(r"^ARG PYTHON=3\.1[123]\.\d+$", SOURCE, re.MULTILINE)
    assert BUILD.startswith("python:${PYTHON}-bookworm AS build")
    assert RUN.startswith("python:${PYTHON}-slim-bookworm")
    assert "COPY --from=build /opt/clv /opt/clv" in RUN


def test_it_does_not_run_as_root_and_stops_in_order():
    user = re.search(r"^USER (\d+):\d+$", RUN, re.MULTILINE)
    assert user
    assert int(user[1]) > 0
    assert f"--uid {user[1]}" in RUN
    assert "STOPSIGNAL SIGTERM" in RUN
    assert 'ENTRYPOINT ["clv"]' in RUN  # not a shell, which would keep the signal


def test_ports_and_health_check_match_the_worker():
    port = Settings.model_fields["metrics_port"].default
    assert f"EXPOSE {port}" in RUN
    check = re.search(r'CMD \["python", "-c", "(.+)"\]', RUN)
    assert check
    compile(check[1], "health check", "exec")
    assert f"or '{port}'" in check[1]
    assert "/healthz" in check[1]


def test_every_variable_is_a_setting():
    for name in re.findall(r"\bCLV_(\w+)=", RUN):
        assert name.lower() in Settings.model_fields


@pytest.mark.slow
def test_the_steps_of_the_image_give_a_working_program(tmp_path):
    """Each RUN of the build stage, in a fresh environment, with nothing but what is copied."""
    build, target, tools = tmp_path / "build", tmp_path / "clv", tmp_path / "tools"
    build.mkdir()
    subprocess.run([sys.executable, "-m", "venv", str(tools)], check=True)
    path = f"{tools / 'bin'}:/usr/local/bin:/usr/bin:/bin"
    for line in BUILD.splitlines():
        word, _, rest = line.partition(" ")
        if word == "COPY":
            for name in rest.split()[:-1]:
                if (ROOT / name).is_dir():
                    shutil.copytree(
                        ROOT / name, build / name, ignore=shutil.ignore_patterns("__pycache__")
                    )
                else:
                    shutil.copy(ROOT / name, build / name)
        elif word == "RUN":
            step = rest.replace("/opt/clv", str(target)).replace(" --no-cache ", " ")
            done = subprocess.run(
                ["sh", "-c", step.replace("--no-cache-dir", "")],
                cwd=build,
                env={**_network(), "PATH": path, "HOME": str(tmp_path)},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{step}\n{done.stderr}"
    shutil.rmtree(build)  # what was installed stands on its own
    for arguments in (["--help"], ["worker", "--help"], ["topics", "--help"]):
        done = subprocess.run(
            [str(target / "bin" / "clv"), *arguments],
            cwd=tmp_path,
            env={"PATH": path, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def _network():
    """How packages are reached here: indexes, proxies, certificates."""
    import os

    wanted = re.compile(r"^(PIP_|UV_|SSL_|REQUESTS_|https?_proxy|no_proxy)", re.IGNORECASE)
    return {key: value for key, value in os.environ.items() if wanted.match(key)}
