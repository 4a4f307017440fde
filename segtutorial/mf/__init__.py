"""Matrix factorisation: interactions, MF by SGD, implicit ALS, EASE, top-k lists."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "memory": [
            "Plan",
            "plan",
        ],
        "factors": [
            "FactorModel",
            "leave_one_out_metrics",
        ],
        "ease": [
            "Blend",
            "EASE",
        ],
        "ials": [
            "IALS",
        ],
        "matrix": [
            "Interactions",
            "as_matrix",
        ],
        "sgd": [
            "MF",
            "find_rate",
        ],
        "customer_lists": [
            "LEAST",
            "SAMPLE",
            "WEIGHTS",
            "class_hits",
            "lists",
        ],
        "stage": [
            "MFStage",
        ],
        "topk": [
            "pick_device",
            "top_k",
        ],
        "tuning": [
            "EventRecommender",
            "search",
        ],
    },
)
