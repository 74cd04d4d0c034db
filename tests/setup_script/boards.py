"""What Jetsons say of themselves: the first line of /etc/nv_tegra_release and the model of the device tree, by the
releases and modules that are known. The texts are made after reports of others; none was read from a board of ours."""

from __future__ import annotations


def release(l4t: str) -> str:
    """The file of a release such as `36.4.3`."""
    major, _, revision = l4t.partition(".")
    return (
        f"# R{major} (release), REVISION: {revision}, GCID: 38968081, BOARD: generic, EABI: aarch64, DATE: Wed Jan 1\n"
        "# KERNEL_VARIANT: oot\nTARGET_USERSPACE_LIB_DIR=nvidia\n"
    )


TAKEN = {
    "36.4.0": "JetPack 6.1", "36.4.2": "JetPack 6.1", "36.4.3": "JetPack 6.2", "36.4.4": "JetPack 6.2",
    "36.5.0": "JetPack 6.2.2 or later", "36.5.2": "JetPack 6.2.2 or later", "39.2.0": "JetPack 7.2 or later",
    "39.2.2": "JetPack 7.2 or later",
}  # fmt: skip
REFUSED = {
    "32.7.4": "JetPack 5 or older", "35.4.1": "JetPack 5 or older", "35.6.3": "JetPack 5 or older",
    "36.2.0": "JetPack 6.0", "36.3.0": "JetPack 6.0", "38.2.0": "JetPack 7.0 or 7.1", "39.1.0": "JetPack 7.1 or older",
    "36.4.7": "the memory fault", "40.1.0": "no release that faceedge knows",
}  # fmt: skip
ORINS = (
    "NVIDIA Jetson Orin Nano Developer Kit",
    "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
    "NVIDIA Jetson Orin NX Engineering Reference Developer Kit",
    "NVIDIA Jetson AGX Orin Developer Kit",
)
OTHERS = ("NVIDIA Jetson Xavier NX Developer Kit", "NVIDIA Jetson Nano Developer Kit", "NVIDIA Jetson AGX Thor")
