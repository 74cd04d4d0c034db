"""What `faceedge doctor` looks at: an installation in, findings out, each with a remedy. Changes nothing."""
