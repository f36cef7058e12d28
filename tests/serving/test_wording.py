"""Reasons in other languages, by template files: ours, and a site's own."""

from pathlib import Path
from typing import Any, get_args

import pytest
from tests.serving.conftest import SmallSite

from palate.errors import BadInput
from palate.funnel.types import Reason, ReasonKind
from palate.serving.names import Named
from palate.serving.reasons import reason_body, sentence
from palate.serving.wording.wordings import FIELDS, HERE, OF_KINDS, Wordings, english
from palate.settings import FILE

NAMES = {1: Named("i1", "Heat"), 2: Named("i2", "Alien")}
OURS = sorted(file.stem for file in HERE.glob("*.toml"))


def of_site(home: Path, language: str = "en", **files: str) -> Wordings:
    (home / FILE).touch()
    (home / "wording").mkdir()
    for name, text in files.items():
        (home / "wording" / f"{name}.toml").write_text(text, "utf-8")
    return Wordings.of_site(home, language)


@pytest.mark.parametrize("language", OURS)
@pytest.mark.parametrize("kind", get_args(ReasonKind))
def test_every_kind_has_words_of_its_own_in_every_language(
    language: str, kind: ReasonKind, tmp_path: Path
) -> None:
    words = Wordings.of_site(tmp_path, language).of()
    found = {
        sentence(kind, titles, trait, verb, words)
        for titles in ([], ["Heat"], ["Heat", "Alien"])
        for trait in ("", "Drama")
        for verb in ("", "liked", "viewed")
    }
    assert all(found)
    assert not any("{" in each for each in found)
    if language != "en":
        plain = sentence(kind, [], "", words=words)
        assert plain != sentence(kind, [], "", words=english()), "it is not translated"


@pytest.mark.parametrize("language", OURS)
def test_a_language_says_all_that_english_says(language: str, tmp_path: Path) -> None:
    words, said = Wordings.of_site(tmp_path, language).of(), english()
    for table in (*OF_KINDS, *FIELDS):
        assert getattr(words, table).keys() == getattr(said, table).keys()


def test_a_sentence_in_german(tmp_path: Path) -> None:
    words = Wordings.of_site(tmp_path, "de").of()
    because = Reason("because_of_items", (1, 2), generator="covisit")
    told = reason_body(because, NAMES, {1: "liked", 2: "liked"}, words=words)
    assert told.text == "Weil du Heat und Alien gemocht hast"
    segment = Reason("popular", trait="your part of the audience")
    assert reason_body(segment, NAMES, words=words).text == "Beliebt in deinem Teil des Publikums"
    assert reason_body(Reason("sponsored", rule="ad"), NAMES, words=words).text == "Anzeige"


def test_the_visitors_language_goes_before_the_sites_and_english_is_always_there(
    tmp_path: Path,
) -> None:
    words = Wordings.of_site(tmp_path, "de")
    assert words.of("fr-CA").plain["sponsored"] == "Sponsorisé"
    assert words.of("ja").plain["sponsored"] == "Anzeige"
    assert Wordings.of_site(tmp_path, "xx").of() is not None
    assert Wordings.of_site(tmp_path, "xx").of().plain["sponsored"] == "Sponsored"


def test_a_site_says_it_in_its_own_words_and_adds_a_language(tmp_path: Path) -> None:
    told = of_site(
        tmp_path,
        en='[plain]\neditorial = "Our pick"\n',
        nl='[plain]\nsponsored = "Advertentie"\n[phrases]\nand = " en "\n',
    )
    assert told.of("en").plain["editorial"] == "Our pick"
    assert told.of("en").plain["sponsored"] == "Sponsored"
    assert told.of("nl").plain["sponsored"] == "Advertentie"
    assert told.of("nl").listed(["a", "b", "c"]) == "a, b en c"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[plain", "does not read"),
        ("[plane]\n", "there is no table 'plane'"),
        ('[plain]\nbecause = "x"\n', "no such kind"),
        ('[about_trait]\ntaste = "x {items}"\n', "it may name {trait}"),
        ('[plain]\ntaste = "x {trait}"\n', "nothing in braces"),
        ('[phrases]\nor = "x"\n', "there are and, comma"),
        ('[phrases]\ndone = "{verb"\n', "done"),
        ("[plain]\ntaste = 3\n", "a text is wanted"),
    ],
)
def test_a_template_that_is_wrong_is_named(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(BadInput, match=r"de\.toml") as refused:
        of_site(tmp_path, de=text)
    assert told in refused.value.detail


def test_somebody_is_answered_in_the_language_of_their_profile(site: SmallSite) -> None:
    def texts(user: str) -> list[Any]:
        return [each["reason"]["text"] for each in site.slate(user_id=user)["items"]]

    assert any("Because you" in each for each in texts("u1"))
    site.client.patch("/v1/users/u1", json={"language": "de"})
    site.worker.drain()
    assert any(each.startswith("Weil du ") for each in texts("u1"))
    found = site.client.get("/v1/why/home", params={"user_id": "u1", "item_id": "comedy-8"}).json()
    assert found["reason"] is None or "you" not in found["reason"]["text"]


def test_a_request_names_its_language_and_a_browser_the_visitors(site: SmallSite) -> None:
    def told(header: str = "", **query: str) -> str:
        asked = {"surface": "trending", "limit": "1", **query}
        surface, headers = asked.pop("surface"), {"accept-language": header} if header else {}
        answer = site.client.get(f"/v1/recommendations/{surface}", params=asked, headers=headers)
        text: str = answer.json()["items"][0]["reason"]["text"]
        return text

    english_, german, french = told(), told(language="de"), told("it, fr-CA;q=0.9, de;q=0.5")
    assert len({english_, german, french}) == 3
    assert told(session_id="s", language="de-AT") == german, "a visitor without a profile, too"
    assert told("fr", language="de") == german, "what the request says goes first"
    site.client.put("/v1/users/speaks", json={"language": "de"})
    assert told("fr", user_id="speaks") == german, "then the profile"
    assert told("*, xx;q=no", user_id="nobody") == english_
    page = site.client.get("/v1/pages/home", params={"language": "de"}).json()
    assert german in str(page)


def test_your_region_is_translated(tmp_path: Path) -> None:
    told = {
        language: sentence(
            "popular", [], "your region", words=Wordings.of_site(tmp_path, "en").of(language)
        )
        for language in OURS
    }
    assert "your region" in told.pop("en")
    assert told
    assert not any("your region" in each for each in told.values())
