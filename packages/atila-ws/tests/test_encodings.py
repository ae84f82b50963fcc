"""How messages are written: text, bytes and JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import atila_ws
from atila import Atila, SetupError
from atila_ws import WS_CHATTY, WS_REPORTY
from atila_ws.delivery.envelope import Envelope
from atila_ws.messages import ENCODINGS, Malformed

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(VALUES)
def test_json_gives_back_what_it_was_given(value):
    encoding = ENCODINGS["json"]
    assert encoding.decode(encoding.encode(value)) == value


@given(st.text() | st.binary())
def test_text_and_bytes_go_as_they_are(value):
    assert ENCODINGS["text"].encode(value) == value
    binary = ENCODINGS["binary"]
    assert binary.decode(binary.encode(value)) == (
        value if isinstance(value, bytes) else value.encode()
    )


@given(st.text() | st.binary(), st.text(), st.text(), st.booleans())
def test_a_parcel_arrives_as_it_was_sent(value, to, space, is_room):
    envelope = Envelope.of(to, value, is_room=is_room, space=space, until=12.5)
    assert Envelope.unpack(envelope.pack()) == envelope


@pytest.mark.parametrize("message", ["", "{", "nan", "{'a': 1}", b"\xff", "[" * 5000])
def test_what_is_no_json(message):
    with pytest.raises(Malformed):
        ENCODINGS["json"].decode(message)


def test_a_conversation_in_json(app):
    @app.route("/")
    @app.websocket(WS_CHATTY, encoding="json")
    def echo(was):
        while True:
            yield {"got": (yield)}

    ws = app.test_client().websocket("/")
    for value in (None, 1, "text", [1], {"a": None}):
        ws.send_message(json.dumps(value))
        assert json.loads(ws.receive_message()) == {"got": value}
    ws.send_message("no json")
    assert ws.receive_message() is None
    assert ws.close_code == 1007


def test_what_json_cannot_say_is_a_type_error(app):
    @app.route("/")
    @app.websocket(WS_REPORTY, encoding="json")
    def wrong(was, message):
        with pytest.raises(TypeError):
            was.websocket.send(b"\xff")
        with pytest.raises(TypeError):
            was.websocket.send({"a": object()})
        return "text"

    ws = app.test_client().websocket("/")
    ws.send_message("1")
    assert ws.receive_message() == '"text"'


@pytest.mark.parametrize("encoding", ["xml", None, 5])
def test_unknown_encodings_fail_at_mount(encoding):
    app = Atila(__name__, layers={"ws": atila_ws.layer})

    @app.route("/")
    @app.websocket(WS_CHATTY, encoding=encoding)
    def handler(was):
        yield "x"

    with pytest.raises(SetupError, match="encoding="):
        app.test_client().get("/")
