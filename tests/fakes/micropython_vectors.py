# Runs inside MicroPython: checks door.py against vectors.json, and prints one line a vector: its name and a word.
import binascii
import json
import sys


class Nothing:
    """Stands for a module of the board that the messages do not need."""


for name in ("machine", "network", "socket"):
    sys.modules[name] = Nothing
import door  # noqa: E402

with open("vectors.json") as file:
    vectors = json.load(file)
secret = binascii.b2a_base64(binascii.unhexlify(vectors["key_hex"])).strip()
key = door.Key(secret.decode().replace("+", "-").replace("/", "_"))
print("kid", "good" if key.kid == vectors["kid"] else key.kid)
for good in vectors["good"]:
    label = good["label"].encode()
    wire = key.mac(label, good["body"].encode()) + b"." + good["body"].encode()
    opened = door.unseal(label, good["wire"].encode(), [key])[0]
    print(good["label"], "good" if wire == good["wire"].encode() and opened == good["body"].encode() else "different")
    if good["label"] == "faceedge-grant-1":
        print("the grant", "good" if door.read_grant(opened) == json.loads(good["body"]) else "different")
for bad in vectors["bad_grants"]:
    try:
        door.read_grant(door.unseal(b"faceedge-grant-1", binascii.unhexlify(bad["wire_hex"]), [key])[0])
        print(bad["name"], "good")
    except door.Bad as error:
        print(bad["name"], error)
