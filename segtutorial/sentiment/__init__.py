"""Sentiment: classifiers of Chinese reviews, aspects, and the shipped model."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "aspects": [
            "AspectModel",
            "aspect_texts",
            "review_aspects",
            "train_aspects",
        ],
        "classifiers": [
            "NgramSVM",
            "distinct",
            "snow_texts",
            "text_folds",
        ],
        "ensemble": [
            "SentimentModel",
            "carried",
            "highlighted",
        ],
        "lexicon": [
            "ASPECTS",
            "Lexicon",
            "grow",
        ],
        "negation": [
            "lessons",
        ],
        "opinions": [
            "class_aspects",
            "contradictions",
            "over_time",
            "sentiment_of",
            "shrunken_means",
        ],
        "shipped": [
            "SHIPPED",
            "SnowModel",
            "load",
            "public_texts",
            "shipped_texts",
            "shop_texts",
            "train_default",
        ],
        "stage": [
            "Opinions",
            "SentimentStage",
        ],
    },
)
