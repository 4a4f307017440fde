"""A shop's data: load your own, fetch a public set, or simulate one; then check what it lacks."""

import lazy_loader as lazy

# the names come from several wings, so the paths below start at the package
__getattr__, __dir__, __all__ = lazy.attach(
    "segtutorial",
    submod_attrs={
        "core.calendar": [
            "day_start",
            "local_time",
        ],
        "core.completeness": [
            "MISSING",
            "check_shop",
        ],
        "core.datasets": [
            "fetch_books",
            "fetch_cdnow",
            "fetch_ml1m_loo",
            "fetch_online_retail",
            "fetch_reviews",
            "fetch_tmall",
        ],
        "core.errors": [
            "ShopError",
        ],
        "core.exports": [
            "write_shop",
        ],
        "core.load": [
            "load_shop",
        ],
        "core.tables": [
            "ACTIONS",
            "CONTRACT",
            "Shop",
            "read_settings",
        ],
        "simulation.simulator": [
            "simulate_shop",
        ],
    },
)
