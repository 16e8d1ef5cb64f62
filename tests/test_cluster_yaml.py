"""cluster.yaml and its variants, against Ray's own schema, defaults and validation."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray.autoscaler
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "cluster.yaml").read_text()
SCHEMA = json.loads((Path(ray.autoscaler.__file__).parent / "ray-schema.json").read_text())
VARIANTS = {
    "aws": "",
    **dict(zip(("gcp", "local"), TEXT.split("# --- variant: ")[1:], strict=True)),
}


def config(kind: str) -> dict[str, Any]:
    """The file with a variant's lines in place of the keys that they repeat."""
    whole, variant = yaml.safe_load(TEXT), VARIANTS[kind]
    deleted = re.search(r"^# delete: (.*)$", variant, re.MULTILINE)
    for key in deleted[1].split(", ") if deleted else ():
        del whole[key]
    lines = [line[3:] for line in variant.splitlines() if line.startswith("#| ")]
    return whole | (yaml.safe_load("\n".join(lines)) or {})


def commands(whole: dict[str, Any]) -> list[str]:
    return [c for key, found in whole.items() if key.endswith("commands") for c in found]


@pytest.fixture(params=VARIANTS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_each_variant_is_for_its_provider(kind: str) -> None:
    assert config(kind)["provider"]["type"] == kind


def test_ray_accepts_it(kind: str) -> None:
    jsonschema.validate(config(kind), SCHEMA)
    merged = prepare_config(config(kind))
    validate_config(merged)
    assert merged["max_workers"] == (2 if kind == "local" else 4)


def test_a_key_that_ray_does_not_know_is_noticed(kind: str) -> None:
    with pytest.raises(jsonschema.ValidationError, match="head_nodes"):
        validate_config(prepare_config(config(kind) | {"head_nodes": {}}))


def test_nothing_of_rays_own_commands_is_left(kind: str) -> None:
    """Defaults fill what a file leaves out: nightly wheels and a dashboard open to the network."""
    merged = prepare_config(config(kind))
    text = "\n".join(commands(merged))
    assert "0.0.0.0" not in text
    assert "dev0" not in text
    # ray joins the setup commands of both kinds of node when it merges
    own = set(commands(config(kind)))
    assert {c for c in commands(merged) if c not in own} == set()


def test_versions_are_those_that_the_tests_run_with(kind: str) -> None:
    text = "\n".join(config(kind)["setup_commands"])
    pins = dict(re.findall(r"^(\S+?)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.M))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f'"ray[default]=={version("ray")}"' in text
    assert pins["ray"] == version("ray")
    assert f"/raymtl-{project['version']}-py3-none-any.whl" in text
    assert re.search(r"--python 3\.11\.\d+ ", text)
    loose = [c for c in commands(config(kind)) if "pip -q install" in c and "==" not in c]
    assert loose == []


def test_every_node_asks_for_the_token_and_has_it(kind: str) -> None:
    whole = config(kind)
    assert whole["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"
    assert any("chmod 600 ~/.ray/auth_token" in c for c in whole["initialization_commands"])
    assert any("RAY_AUTH_MODE=token" in c and ".bashrc" in c for c in commands(whole))
    for start in ("head_start_ray_commands", "worker_start_ray_commands"):
        command = next(c for c in whole[start] if "ray start" in c)
        assert command.index("export RAY_AUTH_MODE=token") < command.index("ray start")
        assert 'RAY_AUTH_TOKEN_PATH="$HOME/.ray/auth_token"' in command
        assert "ulimit -n 65536" in command


def test_the_dashboard_is_on_and_on_the_head_alone(kind: str) -> None:
    head = " ".join(config(kind)["head_start_ray_commands"])
    assert "--dashboard-host=127.0.0.1" in head
    assert "--include-dashboard=true" in head  # Train cleans up after worker groups through it


def test_the_driver_is_never_on_a_machine_that_can_be_taken_away() -> None:
    spot = {"aws": "spot", "gcp": "preemptible"}
    for kind, word in spot.items():
        types = config(kind)["available_node_types"]
        assert word not in str(types["head"]).lower()
        assert word in str(types["worker"]).lower()
        assert "InstanceMarketOptions" not in types["head"]["node_config"]
    assert "available_node_types" not in config("local")


def test_storage_is_shared_and_checked(kind: str) -> None:
    setup = config(kind)["setup_commands"]
    assert any(re.search(r"mount -t nfs4? .*/shared", c) for c in setup)
    assert setup[-1].startswith("mountpoint -q /shared &&")  # without it, no node comes up


def test_idle_workers_are_given_back() -> None:
    assert 0 < config("aws")["idle_timeout_minutes"] <= 30


def test_commands_are_valid_bash(kind: str) -> None:
    for command in commands(config(kind)):
        subprocess.run(["bash", "-n", "-c", command], check=True)


def test_a_second_set_up_changes_nothing(kind: str, tmp_path: Path) -> None:
    """Ray may set a node up again; the profile then gets no second copy."""
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("secret")
    (tmp_path / ".bashrc").touch()
    home = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    for _ in range(2):
        for command in config(kind)["initialization_commands"]:
            subprocess.run(["bash", "-c", command], check=True, env=home)
    lines = (tmp_path / ".bashrc").read_text().splitlines()
    assert len(lines) == 2
    assert (tmp_path / ".ray" / "auth_token").stat().st_mode & 0o777 == 0o600
    shown = subprocess.run(
        ["bash", "-c", '. ~/.bashrc; echo "$RAY_AUTH_MODE $RAY_AUTH_TOKEN_PATH"; echo "$PATH"'],
        check=True, capture_output=True, text=True, env=home,
    ).stdout.split()  # fmt: skip
    assert shown[0] == "token"
    assert shown[1] == f"{tmp_path}/.ray/auth_token"
    assert shown[2].startswith(f"{tmp_path}/raymtl/env/bin:")
