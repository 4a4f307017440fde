"""The clauses of `clauses.csv`, found again in the published reviews: prints hash, part and clause,
which are not to be passed on.

    SEGTUTORIAL_DATA=… python data/sentences/clauses_sample.py

Part 'random': all clauses of 14 random reviews of each of the ten categories and of 20 of take-away
food, of which 300 are drawn. Part 'topup': for each of the aspects that few clauses speak of, 16
more from all clauses that hold a common word of it.
"""

import re
from hashlib import sha256

import numpy as np
import pandas as pd

from segtutorial.core.datasets import fetch_reviews

STOP = re.compile(r"[。！？!?；;，,、~～…\s]+")
RARE = {
    "delivery": "物流|快递|送货|发货|配送|骑手",
    "price": "价格|便宜|贵|划算|性价比|优惠",
    "service": "客服|服务|售后|态度|卖家|安装",
    "packaging": "包装|盒|箱|漏|洒",
    "look": "颜色|好看|漂亮|外观|款式|难看",
}


def clauses(text: str) -> list[str]:
    return [part for part in STOP.split(text.lstrip("\ufeff")) if 3 <= len(part) <= 30]


def digest(clause: str) -> str:
    return sha256(clause.encode("utf-8", "ignore")).hexdigest()[:16]


def sample() -> pd.DataFrame:
    shops, food = (
        fetch_reviews(name).dropna(subset="text")
        for name in ("online_shopping_10_cats", "waimai_10k")
    )
    rng = np.random.default_rng(20261126)
    texts = []
    for category in sorted(shops["cat"].unique()):
        texts += rng.choice(
            shops.loc[shops["cat"] == category, "text"].to_numpy(), 14, replace=False
        ).tolist()
    texts += rng.choice(food["text"].to_numpy(), 20, replace=False).tolist()
    drawn = list(dict.fromkeys(clause for text in texts for clause in clauses(text)))
    drawn = [drawn[row] for row in sorted(rng.permutation(len(drawn))[:300])]
    rng, seen = np.random.default_rng(20261127), set(drawn)
    everything = sorted(
        {clause for text in [*shops["text"], *food["text"]] for clause in clauses(text)} - seen
    )
    rows = [("random", clause) for clause in drawn]
    for words in RARE.values():
        found = [clause for clause in everything if re.search(words, clause) and clause not in seen]
        more = rng.choice(np.array(found, dtype=object), 16, replace=False).tolist()
        seen |= set(more)
        rows += [("topup", clause) for clause in more]
    table = pd.DataFrame(rows, columns=["part", "clause"])
    table.insert(0, "sha256", table["clause"].map(digest))
    return table


if __name__ == "__main__":
    for row in sample().itertuples(index=False):
        print(*row, sep="\t")
