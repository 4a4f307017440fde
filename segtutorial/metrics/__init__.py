"""Metrics: splits by time, ranking metrics, baselines, intervals."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "intervals": [
            "Paired",
            "bootstrap",
            "holm",
            "paired_bootstrap",
        ],
        "signals": [
            "Satisfaction",
            "satisfaction",
        ],
        "stage": [
            "MetricsStage",
        ],
        "baselines": [
            "ItemKNN",
            "MostPopular",
        ],
        "binary": [
            "auc",
            "calibration",
            "calibration_error",
            "lift",
            "mae",
            "rmse",
            "wilson",
        ],
        "evaluation": [
            "ListMetrics",
            "SupportsRecommend",
            "METRICS",
            "VARIETY",
            "evaluate",
            "user_metrics",
        ],
        "ranking": [
            "average_precision",
            "coverage",
            "exposure",
            "gini",
            "hit_rate",
            "relevance_mask",
            "ndcg",
            "novelty",
            "precision",
            "ranked_hits",
            "recall",
            "reciprocal_rank",
        ],
        "split": [
            "LEAKS",
            "Split",
            "leaks",
            "leave_one_out",
            "rolling_origin",
            "split_at_random",
            "split_by_time",
        ],
    },
)
