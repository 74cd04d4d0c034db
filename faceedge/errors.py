"""Every error that a person can mend. The text is one line: what is wrong, and how to mend it."""


class FaceedgeError(Exception):
    """Base of all expected failures; the command line prints it as one line and ends with `exit_code`."""

    exit_code = 2


class BadInput(FaceedgeError, ValueError):
    """A file, an image or an argument that cannot be used."""


class ConfigError(FaceedgeError, ValueError):
    """The configuration file is wrong; the text names file, key and expectation."""


class PackageError(FaceedgeError):
    """A model package is missing, broken, or does not fit its neighbour."""


class StoreError(FaceedgeError):
    """The state directory, a database or a key file cannot be used."""


class MissingExtra(FaceedgeError, ImportError):
    """An optional library is absent; the text names the extra to install."""


class CameraError(FaceedgeError):
    """A camera, clip or folder cannot be opened or has stopped delivering."""


class EngineError(FaceedgeError):
    """An engine refused its input or failed to run."""


class NoMemory(EngineError):
    """There is not the memory that a batch needs; a smaller one may run."""


class NoDeviceMemory(NoMemory):
    """The device has not the memory that was asked for; what it holds is unharmed."""


class DeviceLost(EngineError):
    """The CUDA context is dead, after an illegal address or a fault of the device: only a new process mends it."""

    exit_code = 75


class LinkError(FaceedgeError):
    """The broker cannot be reached or refuses us."""


def one_line(text: str, most: int = 400) -> str:
    """Words from a stranger's file for a terminal: one line, printable, not long."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text[: 4 * most])
    words = " ".join(plain.split())
    return words if len(words) <= most else f"{words[: most - 1]}…"
