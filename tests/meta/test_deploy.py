"""The files in `docs/examples/deploy` agree with one another and with what storegate takes."""

from __future__ import annotations

import re
import shlex
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import yaml

from storegate.cli.flag_options import flag_options, given_flags
from storegate.cli.store import store
from storegate.config.flags import configure
from storegate.config.settings import Settings
from storegate.config.yaml_file import parse_yaml
from storegate.manager import PluginManager

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "docs/examples/deploy"
SHARDS = 3


def parsed(arguments: list[str]) -> dict[str, Any]:
    """{flag: value} as the command reads them; a wrong one is an error."""
    with store.make_context("store", arguments) as context:
        return given_flags(context.params)


def seconds(text: str) -> float:
    return float(text.removesuffix("s"))


class TestKubernetes:
    @pytest.fixture
    def objects(self) -> dict[str, Any]:
        documents = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())
        return {document["kind"]: document for document in documents}

    @pytest.fixture
    def pod(self, objects: dict[str, Any]) -> Any:
        return objects["StatefulSet"]["spec"]["template"]["spec"]

    @pytest.fixture
    def container(self, pod: Any) -> Any:
        (only,) = pod["containers"]
        return only

    @pytest.fixture(params=range(SHARDS))
    def settings(self, request: Any, objects: dict[str, Any], container: Any, tmp_path: Path) -> Settings:
        """Those of one of the pods, with the files where the container would find them."""
        files = {
            "/etc/storegate/": objects["ConfigMap"]["data"],
            "/etc/storegate-bucket/": objects["Secret"]["stringData"],
        }
        arguments = container["args"][1:]
        for folder, contents in files.items():
            here = tmp_path / folder.strip("/").replace("/", "-")
            here.mkdir()
            for name, text in contents.items():
                (here / name).write_text(text)
            arguments = [argument.replace(f"={folder}", f"={here}/") for argument in arguments]
        return configure(parsed(arguments), {"SHARD": str(request.param)}).settings

    def test_every_pod_has_sound_settings(self, settings: Settings) -> None:
        plugins = PluginManager.load(allow=["storegate"])
        assert plugins.check_usable("object_store", settings.object_store, where="object_store")
        for ref in settings.meta_filters:
            assert plugins.check_usable("meta_filter", ref, where="meta_filters")

    def test_each_pod_has_one_of_the_shards(self, objects: dict[str, Any]) -> None:
        rules = parse_yaml(objects["ConfigMap"]["data"]["shard.yml"], environ={"SHARD": "2"}, source="shard.yml")
        assert rules[0]["modulus"] == objects["StatefulSet"]["spec"]["replicas"] == SHARDS
        assert rules[1]["regex"] == "2"

    def test_probes_ask_paths_and_ports_that_there_are(self, container: Any) -> None:
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert ports == {"grpc": 10901, "http": 10902}
        asked = {kind: container[kind]["httpGet"] for kind in ("livenessProbe", "readinessProbe")}
        assert asked == {
            "livenessProbe": {"path": "/-/healthy", "port": "http"},
            "readinessProbe": {"path": "/-/ready", "port": "http"},
        }

    def test_all_selectors_find_the_pods(self, objects: dict[str, Any], pod: Any) -> None:
        labels = objects["StatefulSet"]["spec"]["template"]["metadata"]["labels"]
        affinity = pod["affinity"]["podAntiAffinity"]
        (must,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]
        (wish,) = affinity["preferredDuringSchedulingIgnoredDuringExecution"]
        assert objects["Service"]["spec"]["selector"] == labels
        selectors = [objects["StatefulSet"]["spec"]["selector"], objects["PodDisruptionBudget"]["spec"]["selector"]]
        selectors += [must["labelSelector"], wish["podAffinityTerm"]["labelSelector"]]
        assert [selector["matchLabels"] for selector in selectors] == [labels] * 4
        assert must["topologyKey"] == "kubernetes.io/hostname"

    def test_it_has_time_to_drain(self, pod: Any, container: Any) -> None:
        flags = parsed(container["args"][1:])
        drains = float(flags["grpc-grace-period"]) + float(flags["http-grace-period"])
        assert pod["terminationGracePeriodSeconds"] > drains + 5  # the last traces

    def test_nothing_but_the_data_directory_is_written(self, pod: Any, container: Any) -> None:
        assert pod["securityContext"]["runAsNonRoot"] is True
        context = container["securityContext"]
        assert (context["readOnlyRootFilesystem"], context["allowPrivilegeEscalation"]) == (True, False)
        writable = [mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")]
        assert writable == [parsed(container["args"][1:])["data-dir"]]

    def test_every_mount_has_a_volume(self, objects: dict[str, Any], pod: Any, container: Any) -> None:
        claims = objects["StatefulSet"]["spec"]["volumeClaimTemplates"]
        volumes = {volume["name"]: volume for volume in pod["volumes"]} | {c["metadata"]["name"]: c for c in claims}
        assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes)
        assert volumes["config"]["configMap"]["name"] == objects["ConfigMap"]["metadata"]["name"]
        assert volumes["bucket"]["secret"]["secretName"] == objects["Secret"]["metadata"]["name"]


class TestSystemd:
    @pytest.fixture
    def unit(self) -> dict[str, str]:
        text = (DEPLOY / "storegate.service").read_text().replace("\\\n", " ")
        return dict(line.split("=", 1) for line in text.splitlines() if re.match(r"\w+=", line))

    def test_its_command_line_is_sound(self, unit: dict[str, str]) -> None:
        program, command, *arguments = shlex.split(unit["ExecStart"])
        assert (program, command) == ("/opt/storegate/bin/storegate", "store")
        assert parsed(arguments)["data-dir"] == f"/var/lib/{unit['StateDirectory']}"

    def test_it_has_time_to_drain(self, unit: dict[str, str]) -> None:
        flags = parsed(shlex.split(unit["ExecStart"])[2:])
        drains = float(flags["grpc-grace-period"]) + float(flags["http-grace-period"])
        assert seconds(unit["TimeoutStopSec"]) > drains + 5

    def test_it_reloads_by_a_hangup_and_is_confined(self, unit: dict[str, str]) -> None:
        assert unit["ExecReload"] == "/bin/kill -HUP $MAINPID"
        wanted = {
            "DynamicUser": "yes",
            "ProtectSystem": "strict",
            "NoNewPrivileges": "yes",
            "CapabilityBoundingSet": "",
        }
        assert {key: unit[key] for key in wanted} == wanted


class TestImage:
    @pytest.fixture
    def lines(self) -> list[str]:
        text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
        return [line for line in text.splitlines() if line and not line.startswith("#")]

    def test_the_last_stage_does_not_run_as_root(self, lines: list[str]) -> None:
        last = list(takewhile(lambda line: not line.startswith("FROM"), reversed(lines)))
        assert next(line for line in last if line.startswith("USER")) == "USER 10001:10001"

    def test_what_is_copied_is_there_and_not_ignored(self, lines: list[str]) -> None:
        sources = [
            source.removeprefix("./")
            for line in lines
            if line.startswith("COPY") and "--from" not in line
            for source in line.split()[1:-1]
        ]
        let_in = set(re.findall(r"^!(.+)$", (DEPLOY / "Dockerfile.dockerignore").read_text(), re.MULTILINE))
        assert [source for source in sources if not (ROOT / source).exists()] == []
        assert set(sources) == let_in

    def test_its_default_command_is_sound(self, lines: list[str]) -> None:
        command = next(line for line in lines if line.startswith("CMD [")).removeprefix("CMD ")
        assert parsed(yaml.safe_load(command)[1:]) == {"data-dir": "/var/lib/storegate"}

    def test_every_flag_in_its_comments_is_known(self) -> None:
        known = {name.lstrip("-") for option in flag_options() for name in option.opts}
        text = " ".join(line for line in (DEPLOY / "Dockerfile").read_text().splitlines() if line.startswith("#"))
        assert set(re.findall(r"--([a-z.-]+)", text.partition(" storegate store")[2])) <= known
