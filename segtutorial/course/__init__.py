"""Course: exercises that check answers, and the learner edition."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "edition": [
            "exercises",
            "pack",
        ],
        "workbook": [
            "check",
            "checker",
            "prove",
            "solved",
            "stub",
        ],
    },
)
