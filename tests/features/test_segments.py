from palate.catalog.user import User
from palate.features.segments import segment_of
from palate.settings import FeatureSettings

SETTINGS = FeatureSettings()


def person(**more: object) -> User:
    return User(user_id="u", **more)


def test_who_says_nothing_is_in_segment_0() -> None:
    assert segment_of(person(language="de"), SETTINGS) == 0


def test_people_of_a_kind_share_a_segment_within_bounds() -> None:
    kinds = [person(country=country, birth_year=1990) for country in ("DE", "FR", "US", "BR", "IN")]
    codes = [segment_of(user, SETTINGS) for user in kinds]
    assert codes == [segment_of(user, SETTINGS) for user in kinds]
    assert all(1 <= code < SETTINGS.segments for code in codes)
    assert len(set(codes)) > 1


def test_ages_fall_into_bands_whether_told_as_year_or_as_attribute() -> None:
    young = segment_of(person(attributes={"age": 24}), SETTINGS)
    assert young == segment_of(person(attributes={"age": 20}), SETTINGS)
    assert young == segment_of(person(birth_year=2004), SETTINGS)
    assert young != segment_of(person(attributes={"age": 40}), SETTINGS)


def test_an_age_that_is_no_number_is_not_known() -> None:
    assert segment_of(person(attributes={"age": "old"}), SETTINGS) == 0


def test_attributes_can_tell_segments_by_name() -> None:
    by_plan = FeatureSettings(segment_by=("plan",), segments=64)
    free, paid = (segment_of(person(attributes={"plan": p}), by_plan) for p in ("free", "paid"))
    assert free != paid
    assert segment_of(person(country="DE"), by_plan) == 0
