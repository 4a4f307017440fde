"""Every model is an estimator of scikit-learn: made, cloned, changed and shown as one."""

import importlib
import inspect
import pkgutil

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator, clone

import segtutorial
from segtutorial.core.errors import ShopError
from segtutorial.metrics import ItemKNN, MostPopular, SupportsRecommend
from segtutorial.mf import EASE, IALS, MF, Blend, EventRecommender

# made of other models, or abstract
MADE = {"EventRecommender": lambda: EventRecommender(IALS(n_factors=4), {"buy": 1.0})}


def models():
    found = {}
    for module in pkgutil.walk_packages(segtutorial.__path__, "segtutorial."):
        if module.ispkg or module.name.endswith(("__main__", "_modidx")):
            continue
        here = importlib.import_module(module.name)
        for name, one in vars(here).items():
            fits = inspect.isclass(one) and callable(getattr(one, "fit", None))
            abstract = name in ("Stage", "SupportsRecommend", "OrderModel") or name[0] == "_"
            if fits and one.__module__ == module.name and not abstract:
                found[name] = one
    return found


MODELS = models()
every = pytest.mark.parametrize("name", MODELS)


def made(name):
    return MADE.get(name, MODELS[name])()


def test_the_models_are_found():
    """Else the tests below could pass on nothing."""
    assert {"BGNBD", "IALS", "ItemKNN", "SentimentModel", "Vectorizer"} <= set(MODELS)


@every
def test_a_model_is_an_estimator_that_can_be_cloned(name):
    model = made(name)
    assert isinstance(model, BaseEstimator)
    same = clone(model)
    assert type(same) is type(model) and repr(same) == repr(model)
    assert set(same.get_params(deep=False)) == set(inspect.signature(type(model)).parameters)


@every
def test_parameters_are_stored_as_given_and_can_be_set(name):
    """`__init__` does nothing else: an odd value is refused by `fit`, not there."""
    model, odd = made(name), object()
    for key, value in model.get_params(deep=False).items():
        assert getattr(model, key) is value
        model.set_params(**{key: odd})
        assert getattr(model, key) is odd
        model.set_params(**{key: value})
    with pytest.raises(ValueError, match="Invalid parameter"):
        model.set_params(no_such_parameter=1)


@every
def test_a_new_model_has_learned_nothing(name):
    learned = [key for key in vars(made(name)) if key.endswith("_") and not key.startswith("_")]
    assert learned == []


@pytest.mark.parametrize("kind", [MF, IALS, EASE, Blend, EventRecommender, ItemKNN, MostPopular])
def test_all_recommenders_have_one_signature(kind):
    found = list(inspect.signature(kind.recommend).parameters.values())[1:4]
    assert [p.name for p in found[1:]] == ["k", "exclude"]
    assert [p.default for p in found] == [inspect.Parameter.empty, 10, None]
    if kind is not Blend:  # which is made of fitted models
        assert isinstance(kind(IALS()) if kind is EventRecommender else kind(), SupportsRecommend)


@pytest.mark.parametrize(
    "model", [ItemKNN(), MostPopular(), EventRecommender(IALS(n_factors=2, n_epochs=2))]
)
def test_what_is_excluded_is_on_no_list(model, shop):
    buys = shop.behaviors[shop.behaviors["user_id"].notna() & shop.behaviors["item_id"].notna()]
    model.fit(buys)
    users = buys["user_id"].unique()[:20]
    items, scores = model.recommend(users, 5)
    barred = np.unique(items[scores > -np.inf])[:3]
    again, held = model.recommend(users, 5, exclude=[*barred, "no such item"][: len(barred)])
    assert not np.isin(again[held > -np.inf], barred).any() and (held > -np.inf).any()


@pytest.mark.parametrize("kind", [MF, IALS, EASE])
def test_a_model_that_is_not_fitted_says_so(kind):
    with pytest.raises(ShopError, match="not fitted"):
        kind().recommend([0], 3)


def test_a_copy_learns_the_same():
    X = sp.random(30, 20, 0.2, format="csr", random_state=0)
    X.data[:] = 1
    model = IALS(n_factors=4, n_epochs=3, random_state=1, device="cpu")
    one, other = (each.fit(X).recommend([0, 1], 5) for each in (model, clone(model)))
    assert all(np.array_equal(a, b) for a, b in zip(one, other))
