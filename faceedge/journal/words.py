"""What reasons, pictures and numbers are called when an operator asks why, and what may help. Pure."""

from __future__ import annotations

RULES = "see what the rules say: faceedge rules check --help"
REASONS = {
    "match": "{who} was recognised",
    "second_factor": "{who} was probably there, and a second factor confirmed it",
    "unknown": "the face is nobody's of the gallery",
    "ambiguous": "two people of the gallery look alike here, so it could not be told whether this is {who}",
    "grey_zone": "it may have been {who}, but not surely enough",
    "low_quality": "the pictures were too poor to be trusted",
    "too_few_shots": "the face was gone before enough pictures agreed",
    "not_moving": "the pictures of the face hardly changed, or jumped, as those of a photo do",
    "behind": "somebody stood nearer and was not decided yet when the face was gone",
    "locked_out": "{who} was recognised, but a face like this has failed too often lately and needs a second factor",
    "look_alike": "{who} was recognised, but looks like somebody else of the gallery, and this door then wants more",
    "on_trial": "the model that serves recognised somebody, and the one that is on trial beside it did not",
    "model_changed": "other networks began to serve, and the face was gone before it had seen enough pictures",
    "too_slow": "the face was gone before this machine, which had too much to do, came to recognise it in time",
    "escort_missing": "{who} was recognised, but may pass only together with somebody who was not seen",
    "clock": "{who} was recognised, but may pass at certain times only and the clock cannot be trusted",
    "not_now": "{who} was recognised, but no rule allows this hour",
    "not_here": "{who} was recognised, but no rule allows this door",
    "not_yet": "{who} was recognised, but is let in from a later day on",
    "expired": "{who} was recognised, but the time for which they were let in is over",
    "blocked": "{who} is blocked, or somebody who is blocked looks like this",
    "rules_unreadable": "the rules could not be read",
    "lockdown": "a lockdown kept every door shut, for {who} too",
    "no_liveness": "{who} was recognised, but the door demands proof of a living face and no model gives it",
    "enrolling": "somebody was being enrolled before this camera",
    "camera": "the pictures of this camera could not be trusted: they stood still, or came again and again",
}
LIMITS = {
    "match": "match from",
    "grey": "doubt from",
    "strict": "poor pictures from",
    "margin": "ahead by at least",
    "votes": "pictures that agree:",
    "face_px": "faces from px",
    "usable": "quality usable from",
    "trusted": "quality trusted from",
}
"""Numbers of a door, by the names of `bands.Limits`."""
CURES = {
    "too small": "let people come closer, or use a longer lens",
    "too dark": "more light at the door",
    "over-exposed": "less light into the camera: shade it, or turn it away from the sun",
    "low contrast": "clean the lens and avoid light from behind",
    "blurred": "clean the lens, focus it, or give it more light for a shorter exposure",
    "turned away": "place the camera where people look, at the height of their eyes",
    "covered": "let people take off what hides the face: mask, scarf, helmet, hand",
    "not a face": "a pattern, a thing or an animal was there; if it was a person, see what hides the face",
    "covered or unclear": "see what hides the face (mask, scarf, hand, helmet), then clean and focus the lens",
}
"""By the words of `assess.py`."""
REASON_CURES = {
    "unknown": "if the person should be let in, enrol them: faceedge enroll NAME IMAGE…",
    "ambiguous": "enrol more photos of both, taken at the door",
    "grey_zone": "enrol a photo taken at the door; if the camera sees poorly, better light helps too",
    "low_quality": "a better picture helps, then a photo enrolled at the door",
    "too_few_shots": "stand still before the camera for a second",
    "not_moving": "stand still no longer than it takes, and look around: a face that never moves is taken for a photo",
    "behind": "come to the door one after another",
    "locked_out": "give the second factor, or wait: the lock lasts 30 s, after more failures up to 300 s",
    "look_alike": "give the second factor; if they cannot be mistaken: faceedge people set NAME --no-look-alike OTHER "
    "--reason WHY",
    "on_trial": "come again: while a model is on trial, some are let in only when both agree; see how it went: "
    "faceedge model history",
    "model_changed": "come again: it takes a second",
    "too_slow": "see what else runs on the machine; use a smaller detector, smaller pictures or fewer cameras",
    "escort_missing": "come together with the escort: both must be seen within a few seconds",
    "clock": "set the network time of this machine",
    "not_now": RULES,
    "not_here": RULES,
    "not_yet": RULES,
    "expired": RULES,
    "blocked": RULES,
    "rules_unreadable": "look at the disk and at gallery.db; restore a backup if it is damaged",
    "enrolling": "leave the camera's view for a few seconds, and come again",
    "camera": "restart the camera, look at its cable and at what feeds it; see its fault in the state",
    "lockdown": "when doors may open again: faceedge lockdown off",
    "no_liveness": 'set liveness = "off" for this door, and know that a photo may then open it',
}
LOST_CURES = {
    "offline": "look at the broker and the network",
    "no fresh challenge": "look at the controller: it is off, away from the broker, or has another key",
    "no verdict": "look at the controller and the network between: the grant went out and nothing came back",
    "too late": "the controller got the grant too late: look at the network",
    "too late: the decision took longer than its deadline": "the machine is busy; see what else runs on it",
    "journal": "look at the disk: nothing is granted that cannot be written down",
}
