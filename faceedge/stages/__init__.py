"""The two stages as functions of batches: frames to shots, shots to decisions. They know no threads and no queues."""
