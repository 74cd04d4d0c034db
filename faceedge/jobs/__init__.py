"""Long or occasional work beside the pipeline: opening the networks, enrolment."""
