"""What happened at the door, in order, on disk: a hash chain that shows every change made to it afterwards."""
