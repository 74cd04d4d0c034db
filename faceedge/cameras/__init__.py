"""Where frames come from, one class a kind of source, chosen by URI."""
