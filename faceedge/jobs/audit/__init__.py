"""What is wrong with a gallery, and what its numbers prove: pure statistics over the templates of one space."""
