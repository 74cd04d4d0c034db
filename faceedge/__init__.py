"""faceedge: the appliance at a door, from a camera to a signed grant that a controller can trust."""

__version__ = "0.1.0"
