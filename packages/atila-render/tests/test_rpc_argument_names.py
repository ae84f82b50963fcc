"""Calls with parameters named like arguments that are given by position, in process."""

import json
from xmlrpc import client as xmlrpc

import pytest

import atila_render
from atila import Atila


@pytest.fixture
def client():
    app = Atila("app_of_test", layers={"render": atila_render.layer})

    @app.route("/free")
    def free(was, **data):
        return data

    @app.route("/one")
    def one(was, value=None, **data):
        return value

    with app.test_client() as client:
        yield client


def json_rpc(client, method, params):
    call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    headers = {"Content-Type": "application/json-rpc"}
    answer = client.request("POST", "/rpc2", data=json.dumps(call), headers=headers)
    assert answer.status_code == 200
    return answer.json()


def xml_rpc(client, method, *params):
    headers = {"Content-Type": "text/xml"}
    body = xmlrpc.dumps(params, method).encode()
    answer = client.request("POST", "/rpc2", data=body, headers=headers)
    assert answer.status_code == 200
    return xmlrpc.loads(answer.content)[0][0]


@pytest.mark.parametrize("method", ["free", "one"])
def test_json_rpc_names_the_parameter_that_it_refuses(client, method):
    answer = json_rpc(client, method, {"was": 1, "value": 2})
    assert answer["error"]["code"] == -32602
    assert "unknown parameter 'was'" in json.dumps(answer["error"])
    assert json_rpc(client, "one", {"value": 2, "more": 1})["result"] == 2


def test_xml_rpc_gives_by_position_so_a_name_is_a_value(client):
    assert xml_rpc(client, "one", {"was": 1}) == {"was": 1}
    with pytest.raises(xmlrpc.Fault) as fault:
        xml_rpc(client, "free", {"was": 1})
    assert fault.value.faultCode == -32602
