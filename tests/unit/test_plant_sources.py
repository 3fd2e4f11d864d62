"""`[[sources]]` of kind mqtt: what is taken, what is found wrong, and that secrets are not shown."""

import pytest

from kpis.errors import ConfigError
from kpis.plant import check_plant, load_plant
from kpis.plant_sources import MqttSource
from kpis.topics import TOPIC_LIMIT, TopicPattern, check_filter

FILLER = "acme/ulm/line-1/filler"
SOURCE = f"""
[equipment."{FILLER}"]

[[sources]]
name = "press 7"
kind = "mqtt"
broker = "mqtts://broker.example"
"""
TOPICS = SOURCE + 'topics = ["acme/#"]\n'
MAPPING = (
    SOURCE
    + """
[[sources.mappings]]
topic = "{line}/{machine}/tags"
equipment = "acme/ulm/{line}/{machine}"
ts = "$.t"
[[sources.mappings.events]]
type = "state"
state = "$.s"
[[sources.mappings.events]]
type = "counter"
quality = "good"
value = "$.n"
"""
)
EVENT = "sources[0].mappings[0].events"
CANARY = "canary-c0ffee-4711"


def source(text: str) -> MqttSource:
    (found,) = load_plant(text).sources
    assert isinstance(found, MqttSource)
    return found


def test_defaults() -> None:
    one = source(TOPICS)
    assert (one.host, one.port, one.encrypted, one.version) == ("broker.example", 8883, True, "5")
    assert (one.session, one.filters) == ("oeeflow-press-7", ("acme/#",))
    assert (one.session_expiry, one.keepalive, one.max_payload) == (7 * 86_400_000_000, 30_000_000, 262_144)
    assert source(MAPPING).filters == ("+/+/tags",)


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [("mqtt://b", "b", 1883), ("mqtt://[::1]:77", "::1", 77), ("mqtts://10.0.0.1:9/", "10.0.0.1", 9)],
)
def test_brokers(url: str, host: str, port: int) -> None:
    one = source(TOPICS.replace("mqtts://broker.example", url))
    assert (one.host, one.port) == (host, port)


FAULTS = [
    ("no topics", SOURCE, "", "", "needs `topics` or mappings"),
    ("address", TOPICS, "mqtts://", "http://", "sources[0].broker: not the address of an MQTT broker"),
    ("port", TOPICS, "broker.example", "broker.example:123456", "not the address of an MQTT broker"),
    ("no host", TOPICS, "broker.example", "", "not the address of an MQTT broker"),
    ("topic", TOPICS, "acme/#", "acme/#/x", "sources[0].topics[0]: not a topic filter"),
    ("shared", TOPICS, "acme/#", "$share/g/x", "shared subscription"),
    ("name", TOPICS, '"press 7"', '"http"', "sources[0].name: this name belongs to the engine's own HTTP door"),
    ("client id", TOPICS, "topics", 'client_id = "a/b"\ntopics', "client_id: has characters that are not allowed"),
    (
        "plain TLS",
        TOPICS.replace("mqtts", "mqtt"),
        "topics",
        'ca = "x"\ntopics',
        "has a certificate, but no",
    ),
    ("no key", TOPICS, "topics", 'certificate = "x"\ntopics', "`certificate` and `key` belong together"),
    ("no user", TOPICS, "topics", 'password = { env = "X" }\ntopics', "has a password, but no username"),
    ("two places", TOPICS, "topics", 'username = { env = "X", file = "y" }\ntopics', "needs either `env` or `file`"),
    ("payload", TOPICS, "topics", "max_payload = 99_999_999\ntopics", "sources[0].max_payload: is too large"),
    ("keepalive", TOPICS, "topics", 'keepalive = "0s"\ntopics', "sources[0].keepalive: is too small"),
    ("version", TOPICS, "topics", 'version = "4"\ntopics', "valid: 5, 3.1.1"),
    ("key of another kind", TOPICS, "topics", "items = {}\ntopics", 'sources[0].items: unknown key, found "items"'),
    ("level", MAPPING, "acme/ulm/{line}", "acme/ulm/{lin}", "names the level lin, which the topic does not have"),
    ("half a level", MAPPING, "{line}/", "line-{line}/", "a level of the topic is only partly named"),
    ("twice a level", MAPPING, "{line}/{machine}/tags", "{line}/{line}/tags", "two levels of the topic have the same"),
    ("brace", MAPPING, '{line}/{machine}"\nts', '{line}/{machine"\nts', "a brace without its partner"),
    ("path", MAPPING, "$.s", "$..s", f"{EVENT}[0].state: not a JSON path"),
    ("each", MAPPING, "ts =", 'each = "$.x"\nts =', "sources[0].mappings[0].each: not the path of an array"),
    ("time", MAPPING, '"$.t"', '"recieved"', "sources[0].mappings[0].ts: is no time"),
    ("unit", MAPPING, '"$.t"', '{ from = "$.t", unit = "min" }', "mappings[0].ts.unit: not one of the valid values"),
    ("no unit", MAPPING, '"$.s"', '{ from = "$.s", unit = "ms" }', f"{EVENT}[0].state: is no time, and has no unit"),
    ("no number", MAPPING, '"$.s"', '{ from = "$.s", factor = 2 }', f"{EVENT}[0].state: is no number"),
    ("type", MAPPING, '"state"', '"stat"', 'did you mean "state" or "status"?'),
    ("field", MAPPING, "value", "good", f"{EVENT}[1].good: a counter event has no such field"),
    ("missing", MAPPING, 'value = "$.n"', "", "a counter event needs the field `value`"),
    ("no pieces", MAPPING, '"state"\nstate = "$.s"', '"count"', "a count needs `good`, `scrap` or `rework`"),
    ("quality", MAPPING, '"good"', '"god"', f'{EVENT}[1].quality: not one of the valid values, found "god"'),
    ("constant", MAPPING, '"acme/ulm/{line}/{machine}"', '"acme/ulm/x"', "mappings[0].equipment: unknown equipment"),
    ("condition", MAPPING, 'state = "$.s"', 'state = "$.s"\nwhen = { s = 1 }', "not a JSON path"),
    ("a list", MAPPING, '"$.n"', '["$.n"]', "must be a text, a number, true or false"),
]


@pytest.mark.parametrize(("text", "old", "new", "expected"), [case[1:] for case in FAULTS], ids=[c[0] for c in FAULTS])
def test_faults_say_where_what_and_what_would_be_right(text: str, old: str, new: str, expected: str) -> None:
    assert old in text
    report = check_plant(text.replace(old, new, 1))
    assert report.plant is None
    assert any(expected in str(fault) for fault in report.faults), "\n".join(map(str, report.faults))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            TOPICS.replace("mqtts", "mqtt") + 'username = { env = "U" }\npassword = { env = "P" }\n',
            "sources[0].broker: the password goes over the network unencrypted",
        ),
        (
            MAPPING.replace('"$.t"', '"received"').replace('"state"\nstate', '"count"\ngood'),
            "sources[0].mappings[0].ts: a count that the broker sends again is counted again",
        ),
    ],
)
def test_what_is_hardly_meant_is_pointed_out(text: str, expected: str) -> None:
    report = check_plant(text)
    assert report.faults == ()
    assert any(expected in str(warning) for warning in report.warnings)


def test_two_sources_need_two_client_ids() -> None:
    other = TOPICS.split("\n\n")[1].replace("press 7", "other")
    both = f'{TOPICS}client_id = "x"\n{other}client_id = "x"\n'
    (fault,) = check_plant(both).faults
    assert "sources[1].client_id: two sources of the same client id" in str(fault)


@pytest.mark.parametrize(
    "line",
    [
        f'password = "{CANARY}"',
        f'username = "{CANARY}"',
        f'password = {{ value = "{CANARY}" }}',
        f'password = {{ env = "{CANARY}!" }}',
        f'password = ["{CANARY}"]',
        f'broker = "mqtt://user:{CANARY}@host"',
    ],
)
def test_a_secret_in_the_file_is_a_fault_that_does_not_repeat_it(line: str) -> None:
    text = TOPICS if not line.startswith("broker") else TOPICS.replace('broker = "mqtts://broker.example"\n', "")
    report = check_plant(f"{text}{line}\n")
    assert report.faults
    assert CANARY not in "\n".join(map(str, report.faults))


@pytest.mark.parametrize("text", ["a", "#", "+", "a/+/b/#", "/", "a//b", "$SYS/x"])
def test_filters(text: str) -> None:
    assert check_filter(text) == text


@pytest.mark.parametrize("text", ["", "a#", "a/#/b", "a+/b", "a\x00", "x" * (TOPIC_LIMIT + 1)])
def test_no_filters(text: str) -> None:
    with pytest.raises(ConfigError, match="not a topic filter"):
        check_filter(text)


@pytest.mark.parametrize(
    ("pattern", "topic", "levels"),
    [
        ("{line}/{machine}", "l1/m1", {"line": "l1", "machine": "m1"}),
        ("{line}/{machine}", "l1", None),
        ("{line}/{machine}", "l1/m1/x", None),
        ("{line}/state", "l1/State", None),
        ("+/{machine}/#", "anything 'at' all/m1/a/b", {"machine": "m1"}),
        ("{machine}/#", "m1", {"machine": "m1"}),
        ("{machine}", "Abfüller 3.b-1_x", {"machine": "Abfüller 3.b-1_x"}),
        ("{machine}", "", None),
        ("{machine}", " m1", None),
        ("{machine}", "m1 ", None),
        ("{machine}", "m'; DROP TABLE events --", None),
        ("{machine}", "m\u202e1", None),
        ("{machine}", "m\n1", None),
        ("{machine}", "<b>", None),
        ("{machine}", "x" * 129, None),
        ("{machine}/#", "m1/" + "x" * TOPIC_LIMIT, None),
    ],
)
def test_patterns(pattern: str, topic: str, levels: dict[str, str] | None) -> None:
    assert TopicPattern(pattern).match(topic) == levels
