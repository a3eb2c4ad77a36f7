"""deploy/kubernetes: that the manifests agree with each other, and with what the services know."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from cli.certificate_authority import service_names
from services.settings import (
    PORT_BASE,
    PORT_OFFSETS,
    SERVICES,
    STACK_SETTINGS,
    ServiceSettings,
    port,
)
from tests.processes import REPOSITORY

FOLDER = REPOSITORY / "deploy" / "kubernetes"
REPLICATED = {"stt", "mt", "qe"}
REDIS_PORT = 6379
# The keys of each Secret that docs/operations.md has people make.
SECRETS = {
    "tokens": {"tokens.toml", "services.token"},
    "redis-passwords": {"collector", "trainer", "operator"},
    **{f"certificates-{n}": {"ca.pem", f"{n}.pem", f"{n}-key.pem"} for n in SERVICES},
}

Manifest = dict[str, Any]


def kustomization() -> Manifest:
    read: Manifest = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    return read


def manifests() -> list[Manifest]:
    texts = [(FOLDER / name).read_text() for name in kustomization()["resources"]]
    return [each for text in texts for each in yaml.safe_load_all(text)]


def named(kind: str) -> dict[str, Manifest]:
    return {each["metadata"]["name"]: each for each in manifests() if each["kind"] == kind}


def workloads() -> dict[str, Manifest]:
    return {**named("Deployment"), **named("StatefulSet")}


def pods() -> Iterator[tuple[str, Manifest, Manifest]]:
    """Name, pod and its one container of every workload."""
    for name, workload in workloads().items():
        pod = workload["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        yield name, pod, container


def variables(container: Manifest) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container["env"]}


def known_variables(service: str) -> set[str]:
    settings = getattr(
        importlib.import_module(f"services.{service}.settings"), f"{service.title()}Settings"
    )
    assert issubclass(settings, ServiceSettings)
    own = {f"GLOSSA_{service.upper()}_{name.upper()}" for name in settings.model_fields}
    return own | {f"GLOSSA_{name.upper()}" for name in STACK_SETTINGS}


def env_file(name: str) -> dict[str, str]:
    lines = (FOLDER / name).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_every_manifest_is_listed_and_every_image_has_a_place() -> None:
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert files == set(kustomization()["resources"])
    images = {container["image"] for _, _, container in pods()}
    assert images == {each["name"] for each in kustomization()["images"]}
    assert images == {f"glossa-{name}" for name in (*SERVICES, "redis")}


def test_each_container_has_a_user_of_its_own_and_no_rights_beside() -> None:
    assert workloads().keys() == {*SERVICES, "redis"}
    for name, pod, container in pods():
        context = pod["securityContext"]
        assert context["runAsNonRoot"], name
        assert context["runAsUser"] == context["fsGroup"] == (999 if name == "redis" else 10001)
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        assert not pod["automountServiceAccountToken"], name
        assert container["resources"]["limits"]["memory"], name


def test_what_is_mounted_is_declared_and_what_is_declared_is_mounted() -> None:
    for name, pod, container in pods():
        claims = workloads()[name]["spec"].get("volumeClaimTemplates", [])
        declared = {each["name"] for each in (*pod["volumes"], *(c["metadata"] for c in claims))}
        mounted = {each["name"] for each in container["volumeMounts"]}
        assert mounted == declared, name
        for volume in pod["volumes"]:
            if secret := volume.get("secret"):
                keys = {item["key"] for item in secret.get("items", [])}
                assert keys <= SECRETS[secret["secretName"]], name
                assert secret["defaultMode"] == 0o440, name


def test_every_secret_is_made_as_the_documentation_says() -> None:
    page = (REPOSITORY / "docs" / "operations.md").read_text()
    lines = [line for line in page.replace("\\\n", "").splitlines() if "create secret" in line]
    made: dict[str, set[str]] = {}
    for line in lines:
        for name in SERVICES if "$name" in line else ("",):
            words = line.replace("$name", name).split()
            keys = {re.split("=", word)[1] for word in words if word.startswith("--from-")}
            made[words[words.index("generic") + 1]] = keys
    assert made == SECRETS


def test_every_variable_is_a_setting_and_every_file_is_mounted() -> None:
    for name, _, container in pods():
        if name == "redis":
            continue
        given = variables(container)
        assert given.keys() <= known_variables(name)
        assert given[f"GLOSSA_{name.upper()}_HOST"] == "0.0.0.0"
        mounts = tuple(each["mountPath"] for each in container["volumeMounts"])
        files = {key: value for key, value in given.items() if key.endswith(("_FILE", "_DIR"))}
        assert all(value.startswith(mounts) for value in files.values()), name
    anywhere = set().union(*map(known_variables, SERVICES)) | {"GLOSSA_PROFILE"}
    assert env_file("church.env").keys() | env_file("profile.env").keys() <= anywhere


def test_its_profile_is_that_of_the_repository() -> None:
    profile = (REPOSITORY / "profiles" / "embedded.env").read_text()
    lines = [line for line in profile.splitlines() if not line.startswith("#")]
    resolved = [re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", line) for line in lines]
    assert (FOLDER / "profile.env").read_text().splitlines() == resolved


def test_each_is_reached_at_its_port_by_a_name_of_its_certificate() -> None:
    services = named("Service")
    assert services.keys() == workloads().keys()
    for name, _, container in pods():
        ports = {each["name"]: each["containerPort"] for each in container["ports"]}
        if name == "redis":
            assert ports == {"redis": REDIS_PORT}
        else:
            keys = {name: "grpc", f"{name}_http": "http", f"{name}_web": "web"}
            offsets = PORT_OFFSETS.keys() & keys
            assert ports == {keys[each]: port(each, PORT_BASE) for each in offsets}
        published = services[name]["spec"]["ports"]
        assert all(ports[each["targetPort"]] == each["port"] for each in published), name
        labels = workloads()[name]["spec"]["template"]["metadata"]["labels"]
        assert services[name]["spec"]["selector"].items() <= labels.items()
        for variable, address in variables(container).items():
            if variable.endswith("_ADDRESS"):
                host, _, called = address.removeprefix("dns:///").rpartition(":")
                peer = host.partition(".")[0]
                assert host in service_names(peer)
                assert int(called) == port(peer)
                assert address.startswith("dns:///") == (peer in REPLICATED)


def test_replicas_are_found_by_the_name_of_a_headless_service() -> None:
    headless = {
        n for n, each in named("Service").items() if each["spec"].get("clusterIP") == "None"
    }
    assert headless == {*REPLICATED, "redis"}
    assert named("Deployment").keys() == {*REPLICATED, "captions"}
    budget = named("PodDisruptionBudget")["mt"]["spec"]
    assert budget["minAvailable"] < named("Deployment")["mt"]["spec"]["replicas"]
    for name in REPLICATED:
        container = named("Deployment")[name]["spec"]["template"]["spec"]["containers"][0]
        assert float(variables(container)[f"GLOSSA_{name.upper()}_CONNECTION_AGE_S"]) > 0


def test_the_gateway_alone_reaches_the_models() -> None:
    policies = {name: each["spec"] for name, each in named("NetworkPolicy").items()}
    assert policies["nobody"] == {"podSelector": {}, "policyTypes": ["Ingress"]}
    to_models = [
        each for name, each in policies.items() if _lets_in(each, "mt") and name != "nobody"
    ]
    (gateway,) = (each for each in to_models if _opens(each, "grpc"))
    (sender,) = gateway["ingress"][0]["from"]
    assert sender == {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "gateway"}}}
    for name in ("captions", "collector"):
        assert any(_lets_in(each, name) and _opens(each, "web") for each in policies.values())


def _lets_in(policy: Manifest, name: str) -> bool:
    selector = policy["podSelector"]
    names = [*selector.get("matchLabels", {}).values()]
    for expression in selector.get("matchExpressions", []):
        names += expression["values"]
    return not names or name in names


def _opens(policy: Manifest, port_name: str) -> bool:
    return any({"port": port_name} in rule["ports"] for rule in policy.get("ingress", []))


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_probes_ask_over_tls_whether_it_serves(name: str) -> None:
    ((_, _, container),) = (each for each in pods() if each[0] == name)
    asked = {
        kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")
    }
    assert {get["scheme"] for get in asked.values()} == {"HTTPS"}
    assert {get["port"] for get in asked.values()} == {"http"}
    assert [get["path"] for get in asked.values()] == ["/readyz", "/readyz", "/healthz"]
