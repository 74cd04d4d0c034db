"""What is different on every board. Copy it to the board as config.py; it holds secrets, so keep no other copy."""

WIFI_NAME = ""
WIFI_PASSWORD = ""

BROKER_HOST = "192.0.2.10"  # an address is better than a name: asking for a name can stall the loop
BROKER_PORT = 1883
BROKER_USER = None  # "faceedge.main.main"
BROKER_PASSWORD = None
BROKER_CA = None  # "ca.der" for TLS: the authority that signed the broker's certificate, in DER

DEVICE = "faceedge"  # device, [[door]] name and controller, as in the device's configuration
DOOR = "main"
CONTROLLER = "main"
KEYS = ("put the 44 characters of the key file here",)  # while a key is changed: the new one, then the old one

RELAY_PIN = 26
RELAY_ON = 1  # the level that pulls the relay
MAX_PULSE_MS = 5000  # the relay is never pulled for longer, whatever a grant says
LED_PIN = 2  # None when there is none
EXIT_PIN = None  # a button to ground, on the inside
EXIT_PULSE_MS = 3000
CONTACT_PIN = None  # a contact to ground that is closed while the door is shut
