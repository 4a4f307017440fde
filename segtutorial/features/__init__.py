"""Features of users and items, computed up to a moment."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "stage": [
            "FeaturesOutput",
            "FeaturesStage",
        ],
        "activity": [
            "action_features",
            "events",
            "hours",
            "user_item_counts",
            "quarters",
            "rhythm_features",
            "session_features",
            "sessions",
        ],
        "items": [
            "ITEM_FEATURES",
            "attributes",
            "item_features",
            "buyers_by_attribute",
            "spending_groups",
            "catalogue_gaps",
        ],
        "orders": [
            "kept_buys",
            "order_features",
            "rfm",
        ],
        "preferences": [
            "catalogue",
            "taste_features",
            "top_categories",
        ],
        "users": [
            "FEATURES",
            "distinct",
            "near_copies",
            "user_features",
        ],
    },
)
