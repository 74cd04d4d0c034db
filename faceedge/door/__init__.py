"""The door contract: signed messages, keys, the MQTT client, and the controller that verifies and opens."""
