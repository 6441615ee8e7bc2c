"""The files in server/deploy say what is true: deploy_test.py <server>. Every option in them is one of the server's, ports and
times agree, the unit is one that systemd accepts and finds hardened, the image's packages are those the program is linked
with, and the health check is run against the server."""
# needs: yaml

from __future__ import annotations

import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import server_fixture
import yaml

DEPLOY = Path(__file__).parents[2] / "server" / "deploy"
PORT = 8080


def text(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def documents(name: str) -> list:
    return list(yaml.safe_load_all(text(name)))


def container_lines() -> str:
    return re.sub(r"\\\n\s*", "", text("Containerfile"))


def commands() -> dict[str, list[str]]:
    """The server's arguments in each file."""
    unit = re.search(r"^ExecStart=(.*)$", text("bitnet-server.service"), re.MULTILINE)
    image = re.search(r"^CMD (\[.*\])$", container_lines(), re.MULTILINE)
    return {"bitnet-server.service": shlex.split(unit.group(1))[1:], "Containerfile": yaml.safe_load(image.group(1)),
            "compose.yaml": documents("compose.yaml")[0]["services"]["bitnet"]["command"],
            "kubernetes.yaml": documents("kubernetes.yaml")[0]["spec"]["template"]["spec"]["containers"][0]["args"]}


def value(arguments: list[str], option: str, default: str = "") -> str:
    return arguments[arguments.index(option) + 1] if option in arguments else default


def test_every_option_exists_and_ports_agree(program: str) -> None:
    shown = subprocess.run([program, "--help"], check=True, capture_output=True, text=True).stdout
    known = set(re.findall(r"--[a-z][\w-]*", shown))
    for name, arguments in commands().items():
        unknown = {argument for argument in arguments if argument.startswith("-")} - known
        assert not unknown, f"{name}: the server has no option {unknown}"
        assert value(arguments, "--port") == str(PORT), name
    assert re.search(r"^EXPOSE (\d+)$", container_lines(), re.MULTILINE).group(1) == str(PORT)
    assert f"/dev/tcp/127.0.0.1/{PORT} " in text("Containerfile")
    service = documents("compose.yaml")[0]["services"]["bitnet"]
    assert service["ports"] == [f"127.0.0.1:{PORT}:{PORT}"], "published to this machine only"
    deployment, cluster_service = documents("kubernetes.yaml")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert container["ports"] == [{"name": "http", "containerPort": PORT}]
    assert cluster_service["spec"]["ports"][0]["port"] == PORT
    assert deployment["spec"]["template"]["metadata"]["annotations"]["prometheus.io/port"] == str(PORT)
    assert documents("prometheus.yaml")[0]["scrape_configs"][0]["static_configs"][0]["targets"] == [f"127.0.0.1:{PORT}"]


def test_texts_may_end_before_the_server_is_killed(program: str) -> None:
    shown = subprocess.run([program, "--help"], check=True, capture_output=True, text=True).stdout
    default = re.search(r"--drain-timeout\D*?N=(\d+)", shown).group(1)
    grace = {"bitnet-server.service": int(re.search(r"^TimeoutStopSec=(\d+)$", text("bitnet-server.service"), re.MULTILINE).group(1)),
             "compose.yaml": int(documents("compose.yaml")[0]["services"]["bitnet"]["stop_grace_period"].rstrip("s")),
             "kubernetes.yaml": documents("kubernetes.yaml")[0]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]}
    for name, seconds in grace.items():
        assert seconds > int(value(commands()[name], "--drain-timeout", default)), name


def test_systemd_accepts_the_unit_and_finds_it_hardened(_program: str) -> None:
    if not shutil.which("systemd-analyze"):
        print("no systemd-analyze here: the unit is not looked at")
        return
    with tempfile.TemporaryDirectory() as folder:
        unit = Path(folder) / "bitnet-server.service"
        unit.write_text(text("bitnet-server.service").replace("/usr/local/bin/bitnet-server", "/bin/true"), encoding="utf-8")
        done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
        assert done.returncode == 0 and "bitnet-server.service" not in done.stderr, done.stderr
        # 10 is a service with all rights; 0 one with none.
        done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=20", unit], capture_output=True, text=True,
                              check=False)
        assert done.returncode == 0, done.stdout[-600:]


def test_containers_have_no_rights(_program: str) -> None:
    assert re.search(r"^USER (\d+):\d+$", container_lines(), re.MULTILINE).group(1) != "0"
    service = documents("compose.yaml")[0]["services"]["bitnet"]
    assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["security_opt"] == ["no-new-privileges:true"]
    spec = documents("kubernetes.yaml")[0]["spec"]["template"]["spec"]
    rights = spec["containers"][0]["securityContext"]
    assert spec["securityContext"]["runAsNonRoot"] and rights["readOnlyRootFilesystem"]
    assert rights["allowPrivilegeEscalation"] is False and rights["capabilities"] == {"drop": ["ALL"]}


def test_the_probes_and_the_health_check_work(program: str) -> None:
    container = documents("kubernetes.yaml")[0]["spec"]["template"]["spec"]["containers"][0]
    check = re.search(r"^HEALTHCHECK.*?CMD (\[.*\])$", container_lines(), re.MULTILINE)
    command = yaml.safe_load(check.group(1))
    with server_fixture.Server(program) as server:
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert server.get(container[probe]["httpGet"]["path"]).status == 200, probe
        assert server.get(documents("prometheus.yaml")[0]["scrape_configs"][0]["metrics_path"]).status == 200
        here = [part.replace(f"/{PORT} ", f"/{server.port} ") for part in command]
        assert subprocess.run(here, check=False, timeout=30).returncode == 0
        nowhere = [part.replace("/health/ready", "/nowhere") for part in here]
        assert subprocess.run(nowhere, check=False, timeout=30).returncode != 0
    assert subprocess.run(here, check=False, timeout=30, stderr=subprocess.DEVNULL).returncode != 0, "healthy without a server"


def test_the_image_has_the_packages_that_the_program_is_linked_with(program: str) -> None:
    image = re.findall(r"^FROM debian:(\d+)-slim", container_lines(), re.MULTILINE)
    assert len(set(image)) == 1, "built and run on the same release"
    release = platform.freedesktop_os_release()
    if (release["ID"], release.get("VERSION_ID")) != ("debian", image[0]) or not shutil.which("objdump"):
        print(f"not Debian {image[0]} with objdump: the image's packages are not looked at")
        return
    library = next(Path(program).resolve().parents[1].glob("lib/libbitnet.so.*"), None)
    needed = set()
    for file in filter(None, (program, library)):
        listed = subprocess.run(["objdump", "-p", file], check=True, capture_output=True, text=True).stdout
        needed |= set(re.findall(r"NEEDED\s+(\S+)", listed))
    needed = {name for name in needed if not name.startswith(("libbitnet", "libc.", "libm.", "libgcc_s", "ld-linux", "libasan", "libubsan",
                                                              "libtsan"))}
    owners = subprocess.run(["dpkg-query", "-S", *[f"*/{name}" for name in sorted(needed)]], check=True, capture_output=True, text=True)
    packages = {line.split(":", 1)[0] for line in owners.stdout.splitlines()}
    packages = {name for name in packages if not name.startswith(("lib32", "libx32")) and not name.endswith("-cross")}  # of other architectures
    listed = container_lines().split("FROM")[2]
    installed = re.search(r"--no-install-recommends\s+(.*?)\s*&&", listed).group(1).split()
    assert set(installed) == packages, (installed, packages)


if __name__ == "__main__":
    server_fixture.run_tests(globals(), sys.argv[1])
