"""The classifiers of reviews hold to scikit-learn's interface, although their input is texts."""

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils import estimator_checks as checks
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from segtutorial.core.errors import ShopError
from segtutorial.sentiment.aspects import AspectModel
from segtutorial.sentiment.classifiers import NgramSVM
from segtutorial.sentiment.ensemble import SentimentModel
from segtutorial.sentiment.lexicon import Lexicon
from segtutorial.sentiment.shipped import SnowModel, shipped_texts

CLASSIFIERS = [NgramSVM, SentimentModel, SnowModel]
ALL = [*CLASSIFIERS, AspectModel]
# What does not apply: every check that fits numbers. Here a row is a text, and AspectModel learns
# aspect and polarity at once; TextCNN is a torch module, trained by a function, without `fit`.
CHECKS = [
    checks.check_estimator_cloneable,
    checks.check_estimator_repr,
    checks.check_estimator_tags_renamed,
    checks.check_get_params_invariance,
    checks.check_mixin_order,
    checks.check_no_attributes_set_in_init,
    checks.check_parameters_default_constructible,
    checks.check_set_params,
    checks.check_valid_tag_types,
]
CHANGES = {
    NgramSVM: {"C": 2.0},
    SentimentModel: {"epochs": 0, "two_columns": True},
    SnowModel: {"sure": 0.6},
    AspectModel: {"C": 5.0, "lexicon": Lexicon()},
}


@pytest.fixture(scope="module")
def reviews():
    texts, y = shipped_texts(600)
    rows = np.random.default_rng(0).choice(len(texts), 1200, replace=False)
    return [texts[row] for row in rows], y[rows]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("kind", ALL)
def test_scikit_learns_own_checks(kind, check):
    check(kind.__name__, kind())


@pytest.mark.parametrize("kind", ALL)
def test_clone_keeps_parameters_and_nothing_learned(kind):
    changed = kind(**CHANGES[kind])
    again = clone(changed)
    assert set(again.get_params()) == set(kind().get_params())
    for name, value in changed.get_params().items():
        if name == "lexicon":
            value, other = value.words, again.lexicon.words
            assert value.equals(other)
        else:
            assert again.get_params()[name] == value
    assert kind().set_params(**CHANGES[kind]).get_params().keys() == changed.get_params().keys()
    assert next(iter(CHANGES[kind])) in repr(changed)
    with pytest.raises(ValueError, match="Invalid parameter"):
        kind().set_params(nonsense=1)


@pytest.mark.parametrize(
    "model, method",
    [
        (NgramSVM(), "predict"),
        (NgramSVM(), "decision_function"),
        (SentimentModel(), "predict_proba"),
        (SentimentModel(), "predict"),
        (AspectModel(), "predict"),
    ],
)
def test_a_model_that_is_not_fitted_says_so(model, method):
    with pytest.raises(NotFittedError, match="fit"):
        getattr(model, method)(["好"])
    with pytest.raises(ShopError):
        getattr(model, method)(["好"])
    with pytest.raises(NotFittedError):
        check_is_fitted(model)


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_tags_say_that_the_input_is_text_in_two_classes(kind):
    tags = get_tags(kind())
    assert is_classifier(kind()) and not tags.classifier_tags.multi_class
    assert tags.input_tags.string and not tags.input_tags.two_d_array
    check_is_fitted(SnowModel())


def test_two_columns_are_the_probabilities_of_the_classes(reviews):
    texts, y = reviews
    one = SentimentModel(epochs=0, expert=False).fit(texts, y)
    two = SentimentModel(epochs=0, expert=False, two_columns=True).fit(texts, y)
    assert one.classes_.tolist() == two.classes_.tolist() == [0, 1]
    p = one.predict_proba(texts)
    assert p.shape == (len(texts),)
    assert np.array_equal(two.predict_proba(texts), np.column_stack((1 - p, p)))
    assert np.array_equal(one.predict(texts), two.predict(texts))
    assert one.score(texts, y) == np.mean((p >= 0.5) == y) > 0.8


def test_old_files_without_the_switch_load(reviews, tmp_path):
    import json

    model = SentimentModel(epochs=0, expert=False).fit(*reviews)
    path = model.save(tmp_path / "model.npz")
    with np.load(path) as stored:
        arrays = dict(stored)
    changed = 0
    for name, array in arrays.items():
        if array.dtype.kind == "U" and "two_columns" in str(array):
            header = json.loads(str(array))
            found = header if "params" in header else header["header"]
            del found["params"]["two_columns"]
            arrays[name], changed = np.array(json.dumps(header)), changed + 1
    assert changed == 1
    np.savez(tmp_path / "old.npz", **arrays)
    again = SentimentModel.load(tmp_path / "old.npz")
    assert again.two_columns is False
    assert np.array_equal(again.predict_proba(reviews[0]), model.predict_proba(reviews[0]))


@pytest.mark.parametrize(
    "model",
    [NgramSVM(unknown=0.0), SentimentModel(epochs=0, expert=False, two_columns=True)],
    ids=lambda model: type(model).__name__,
)
def test_cross_validation_calibration_and_search_work(model, reviews):
    texts, y = reviews
    scores = cross_val_score(model, texts, y, cv=3)
    assert scores.shape == (3,) and scores.mean() > 0.7
    assert cross_val_score(model, texts, y, cv=3, scoring="roc_auc").mean() > 0.75
    calibrated = CalibratedClassifierCV(model, cv=3).fit(texts, y)
    p = calibrated.predict_proba(texts)
    assert p.shape == (len(texts), 2) and np.allclose(p.sum(axis=1), 1)
    assert ((p[:, 1] > 0.5) == y).mean() > 0.8
    name = "C" if isinstance(model, NgramSVM) else "held"
    search = GridSearchCV(model, {name: [0.1, 0.5]}, cv=2).fit(texts, y)
    assert search.best_score_ > 0.65


def test_weights_of_texts_count(reviews):
    texts, y = reviews
    weights = np.r_[np.ones(600), np.zeros(600)]
    half = NgramSVM().fit(texts, y, sample_weight=weights)
    assert half.score(texts[:600], y[:600]) > half.score(texts[600:], y[600:])
    assert NgramSVM().fit(texts, y).score(texts, y) > 0.95
