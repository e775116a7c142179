"""The nightly account of all answers: independent of their order, held to what is known."""

import numpy as np
import pytest

from mlcore.consensus.answers.dawid_skene import UNKNOWN, Account, Answers, account
from mlcore.errors import InvalidInput

N_SUBJECTS = 300


def crowd(
    *, n_people: int = 30, votes: int = 6, seed: int = 1, tempting: int = 0
) -> tuple[Answers, np.ndarray]:
    """Mixed people, subjects of two kinds; the last `tempting` blanks mislead seven of ten people."""
    random = np.random.default_rng(seed)
    truth = (np.arange(N_SUBJECTS) % 3 == 0).astype(int)
    right = random.uniform(0.65, 0.95, n_people)
    subject = np.repeat(np.arange(N_SUBJECTS), votes)
    person = np.concatenate([random.permutation(n_people)[:votes] for _ in range(N_SUBJECTS)])
    chance = right[person]
    misled = np.flatnonzero(truth == 0)[-tempting:] if tempting else []
    chance = np.where(np.isin(subject, misled), 0.3, chance)
    answer = np.where(random.random(len(subject)) < chance, truth[subject], 1 - truth[subject])
    return Answers(subject, person, answer, N_SUBJECTS, n_people, 2), truth


def flat(n_classes: int = 2) -> np.ndarray:
    return np.full((N_SUBJECTS, n_classes), 1 / n_classes)


def none_known() -> np.ndarray:
    return np.full(N_SUBJECTS, UNKNOWN)


def right_share(found: Account, truth: np.ndarray, among: np.ndarray | slice = slice(None)) -> float:
    return float((found.probability.argmax(axis=1) == truth)[among].mean())


def majority_share(answers: Answers, truth: np.ndarray, among: np.ndarray | slice = slice(None)) -> float:
    yes = np.bincount(answers.subject, answers.answer, minlength=N_SUBJECTS)
    n = np.bincount(answers.subject, minlength=N_SUBJECTS)
    return float(((yes > n / 2) == truth)[among].mean())


def test_it_is_right_more_often_than_the_majority():
    answers, truth = crowd()
    found = account(answers, prior=flat(), known=none_known(), unknown_weight=1.0)
    assert found.has_converged
    assert right_share(found, truth) > majority_share(answers, truth)


def test_sparse_people_do_no_harm():
    answers, truth = crowd(n_people=250, votes=3)
    found = account(answers, prior=flat(), known=none_known())
    assert right_share(found, truth) >= majority_share(answers, truth) - 0.01


def test_known_subjects_are_clamped_and_teach_who_is_misled():
    answers, truth = crowd(tempting=120)
    known = none_known()
    known[::5] = truth[::5]
    open_ = known == UNKNOWN
    found = account(answers, prior=flat(), known=known, unknown_weight=0.0)
    assert (found.probability[~open_].argmax(axis=1) == truth[~open_]).all()
    assert set(np.unique(found.probability[~open_])) == {0.0, 1.0}
    assert right_share(found, truth, open_) > majority_share(answers, truth, open_)


def test_the_order_of_answers_changes_nothing():
    answers, truth = crowd()
    known = none_known()
    known[:20] = truth[:20]
    order = np.random.default_rng(5).permutation(len(answers.subject))
    shuffled = Answers(
        answers.subject[order], answers.person[order], answers.answer[order], N_SUBJECTS, 30, 2
    )
    one, other = (account(each, prior=flat(), known=known).probability for each in (answers, shuffled))
    assert one == pytest.approx(other, abs=1e-12)


def test_a_prior_decides_where_nobody_has_answered():
    answers, _ = crowd()
    prior = flat()
    prior[7] = [0.1, 0.9]
    keep = answers.subject != 7
    fewer = Answers(answers.subject[keep], answers.person[keep], answers.answer[keep], N_SUBJECTS, 30, 2)
    assert account(fewer, prior=prior, known=none_known()).probability[7] == pytest.approx([0.1, 0.9])


def test_a_third_answer_has_its_own_column():
    answers, truth = crowd()
    said = answers.answer.copy()
    said[truth[answers.subject] == 0] = np.where(
        np.arange((truth[answers.subject] == 0).sum()) % 4 == 0, 2, said[truth[answers.subject] == 0]
    )
    three = Answers(answers.subject, answers.person, said, N_SUBJECTS, 30, 3)
    known = none_known()
    known[::4] = truth[::4]
    found = account(three, prior=flat(), known=known)
    assert found.confusion.shape == (30, 2, 3)
    assert found.population[0, 2] > found.population[1, 2]


def test_where_it_begins_does_not_change_where_it_ends():
    answers, truth = crowd()
    known = none_known()
    known[:30] = truth[:30]
    cold = account(answers, prior=flat(), known=known)
    warm = account(answers, prior=flat(), known=known, begin_at=cold.confusion)
    assert warm.steps < cold.steps
    assert warm.probability == pytest.approx(cold.probability, abs=1e-4)


def test_rows_rest_on_the_answers_and_the_prior():
    answers, truth = crowd()
    found = account(answers, prior=flat(), known=truth, unknown_weight=0.0)
    given = np.zeros((30, 2))
    np.add.at(given, (answers.person, truth[answers.subject]), 1.0)
    assert found.rests_on == pytest.approx(given + 4.0)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"prior": np.ones((N_SUBJECTS, 2))}, "sum to 1"),
        ({"prior": np.full((3, 2), 0.5)}, "Of 300 subjects"),
        ({"known": np.full(N_SUBJECTS, 2)}, "known is 0 to 1"),
        ({"unknown_weight": 1.5}, "unknown_weight is 0 to 1"),
        ({"prior_weight": 0.0}, "prior_weight above 0"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict, sentence: str):
    answers, _ = crowd()
    with pytest.raises(InvalidInput, match=sentence):
        account(answers, **({"prior": flat(), "known": none_known()} | changes))


def test_answers_out_of_range_are_refused():
    column = np.array([0, 1])
    with pytest.raises(InvalidInput, match="person is 0 to 0, not 0 to 1"):
        Answers(column, column, column, 2, 1, 2)
    with pytest.raises(InvalidInput, match="2 classes need at least 2 and as many answers"):
        one = Answers(column * 0, column, column * 0, 1, 2, 1)
        account(one, prior=np.array([[0.5, 0.5]]), known=np.array([UNKNOWN]))
    with pytest.raises(InvalidInput, match="answer has 1 rows and subject 2"):
        Answers(column, column, column[:1], 2, 2, 2)
