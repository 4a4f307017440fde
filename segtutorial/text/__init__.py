"""Text: words and vectors from Chinese reviews."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "skipgram": [
            "SkipGram",
        ],
        "features": [
            "ItemText",
            "UserText",
        ],
        "keywords": [
            "log_odds",
        ],
        "streaming": [
            "map_texts",
            "read_texts",
        ],
        "tokens": [
            "CLAUSE_END",
            "NEGATORS",
            "STOP_WORDS",
            "Tokenizer",
            "clauses",
            "normalize",
        ],
        "vectors": [
            "Vectorizer",
        ],
    },
)
