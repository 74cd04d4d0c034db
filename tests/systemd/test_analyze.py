"""What systemd's own tools say of the units."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.systemd.reading import FOLDER, SERVICES, omitted

MOST = {
    "faceedge.service": 2.5, "faceedge-build.service": 1.5, "faceedge-controller@.service": 2.0,
    "faceedge-power.service": 7.5,
}  # fmt: skip
"""Exposure: 0 is none, 10 all; the power service is root and sets clocks. By systemd 252."""
MEASURES = {
    "IPAddressDeny": "IPAddressDeny", "RootDirectoryOrRootImage": "RootDirectory", "SystemCallFilter_resources":
    "@resources", "DeviceAllow": "DeviceAllow",
}  # fmt: skip
IS_NONE = {"SupplementaryGroups", "RestrictAddressFamilies_AF_UNIX", "RestrictAddressFamilies_AF_INET_INET6",
           "RestrictAddressFamilies_AF_NETLINK", "Delegate", "UMask"}  # fmt: skip
"""What systemd counts and what is needed: groups of the GPU, sockets of the broker and of systemd itself."""

pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze on this machine")


def analyze(*words: object) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


@pytest.mark.parametrize("name", sorted(MOST))
def test_exposure_is_as_low_as_cuda_permits_and_the_rest_has_its_reason(name: str) -> None:
    done = analyze("security", "--offline=yes", "--json=short", FOLDER / name)
    if "unrecognized option" in done.stderr or "Unknown" in done.stderr:
        pytest.skip("this systemd-analyze cannot look at a file")
    rows = json.loads(done.stdout)
    told = analyze("security", "--offline=yes", FOLDER / name).stdout
    exposure = float(re.findall(r"exposure level for \S+: ([0-9.]+)", told)[0])
    assert exposure <= MOST[name]
    if name == "faceedge-power.service":
        return
    left = {row["json_field"] for row in rows if float(row["exposure"] or 0) > 0} - IS_NONE
    reasons = omitted(name)
    unexplained = {field for field in left if MEASURES.get(field, field) not in reasons}
    assert not unexplained


def test_every_service_has_a_bound() -> None:
    assert sorted(MOST) == sorted(SERVICES)


def test_units_hold_before_systemd_itself(tmp_path: Path) -> None:
    """With programs where the units name them, there is nothing that it complains about."""
    for place in (*FOLDER.glob("*.service"), *FOLDER.glob("*.path")):
        text = place.read_text(encoding="utf-8")
        (tmp_path / place.name).write_text(re.sub(r"/opt/faceedge/current/\S+", "/bin/true", text), encoding="utf-8")
    done = analyze("verify", *sorted(tmp_path.iterdir()))
    ours = [line for line in done.stderr.splitlines() if "faceedge" in line]
    assert (done.returncode, ours) == (0, [])
