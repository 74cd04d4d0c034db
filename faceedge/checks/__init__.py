"""What `faceedge selftest` looks at, a module a kind of check; the table of them is in `faceedge/selftest.py`."""
