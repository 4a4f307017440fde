"""Cleaning: rules, returns, scaling; every rejected row is kept with its reason."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "stage": [
            "CleanStage",
        ],
        "cleaning": [
            "Cleaned",
            "INVISIBLE",
            "OPENED",
            "POLICY",
            "REJECTED",
            "clean",
            "normalize_text",
            "scaler",
            "tidy",
        ],
    },
)
