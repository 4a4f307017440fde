"""Customer value: RFM scores, value tiers, lifetime value with intervals."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "backtest": [
            "Combination",
            "by_decile",
            "forecast_scores",
            "forecasts",
            "hold_out",
        ],
        "bgnbd": [
            "BGNBD",
            "draw_customers",
            "repeat_orders",
        ],
        "clv": [
            "GammaGamma",
            "Lifetime",
            "cut_points",
            "independence",
            "lifetime_value",
            "tier_changes",
        ],
        "migration": [
            "movement",
            "periods",
            "tier_forecast",
            "transitions",
            "windows",
        ],
        "paretonbd": [
            "ParetoNBD",
            "alive_at_rates",
            "simulate_pareto_nbd",
        ],
        "scoring": [
            "rfm",
            "CLASSES",
            "TIERS",
            "class_table",
            "customer_class",
            "pareto",
            "score",
            "top_share",
            "value_tier",
        ],
        "outlook": [
            "Outlook",
            "Trial",
            "guest_share",
            "spent_between",
            "trial",
        ],
        "stage": [
            "ADVICE",
            "ValueOutput",
            "ValueStage",
        ],
    },
)
