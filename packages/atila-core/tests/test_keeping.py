"""What belongs to a site, an app or a context."""

from __future__ import annotations

import gc
import threading
import weakref

from atila import Atila, kept
from atila.runtime.keeping import forget, found
from atila.testing.waits import PATIENCE


class Owner:
    pass


def test_it_is_made_once_and_gone_with_its_owner() -> None:
    owner, other = Owner(), Owner()
    thing = kept(owner, Owner, Owner)
    assert kept(owner, Owner, Owner) is found(owner, Owner) is thing
    assert kept(other, Owner, Owner) is not thing
    assert found(owner, "another key") is found(Owner(), Owner) is None
    reference = weakref.ref(thing)
    del owner, thing
    gc.collect()
    assert reference() is None


def test_it_is_made_anew_when_what_it_is_made_of_changes() -> None:
    owner, made = Owner(), iter(range(9))

    def make() -> int:
        return next(made)

    asked = (["a"], ["a"], ["b"], ["a"])
    assert [kept(owner, "n", make, of=settings) for settings in asked] == [0, 0, 1, 2]
    assert found(owner, "n") == 2


def test_it_is_forgotten() -> None:
    owner = Owner()
    assert forget(owner, "n") is None
    kept(owner, "n", lambda: 1)
    assert (forget(owner, "n"), forget(owner, "n")) == (1, None)
    assert kept(owner, "n", lambda: 2) == 2


def test_what_fails_to_be_made_is_tried_again() -> None:
    owner, tries = Owner(), [ZeroDivisionError, None]

    def make() -> int:
        if (error := tries.pop(0)) is not None:
            raise error
        return len(tries)

    try:
        kept(owner, "n", make)
    except ZeroDivisionError:
        assert kept(owner, "n", make) == 0
    assert tries == []


def test_threads_make_it_once_and_one_may_need_another() -> None:
    owner, barrier = Owner(), threading.Barrier(8)
    made: list[str] = []
    seen: list[object] = []

    def outer() -> list[object]:
        made.append("outer")
        return [kept(owner, "inner", inner)]

    def inner() -> object:
        made.append("inner")
        return object()

    def run() -> None:
        barrier.wait(PATIENCE)
        seen.append(kept(owner, "outer", outer))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert made == ["outer", "inner"]
    assert len(seen) == 8
    assert len({id(each) for each in seen}) == 1


def test_owners_are_sites_apps_and_contexts() -> None:
    app = Atila(__name__)

    @app.route("/")
    def index(was):
        owners = (was, was.app, was.site)
        return str([kept(owner, "n", lambda: 7) + found(owner, "n") for owner in owners])

    with app.test_client() as client:
        assert client.get("/").text == "[14, 14, 14]"
    assert found(app, "n") == 7
