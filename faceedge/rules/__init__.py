"""Who may pass which door and when. Pure: no input or output, the clock is passed in, doubt means no."""
