"""Simulation: a shop whose truth is known."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "corruption": [
            "add_dirt",
        ],
        "grammar": [
            "write_reviews",
        ],
        "log": [
            "Page",
            "Policy",
            "ShopLog",
            "popular_page",
        ],
        "market": [
            "draw_products",
            "draw_users",
        ],
        "simulator": [
            "counterfactual",
            "outcomes",
            "simulate_shop",
        ],
    },
)
