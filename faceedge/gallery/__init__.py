"""People and their templates, encrypted at rest, and the search over them."""
