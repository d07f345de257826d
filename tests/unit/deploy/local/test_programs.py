"""Which process sees what."""

from dataclasses import replace

from deploy.local.programs import BLUEPRINTS, SERVICES, Wiring, environment_of, replicas_of, service_urls

URLS = {service: f"http://127.0.0.1/{service}" for service in SERVICES}
WIRING = Wiring(
    amqp_urls={each.name: f"amqp://{each.name}" for each in BLUEPRINTS},
    database_urls={each.schema: f"postgresql://{each.schema}" for each in BLUEPRINTS if each.schema},
    keys={service: f"{service}-key" for service in SERVICES},
    common={name: name.lower() for each in BLUEPRINTS for name in each.reads},
    base={"PATH": "/bin"},
    urls=URLS,
)
ENVIRONMENTS = {each.name: environment_of(each, WIRING) for each in replicas_of({})}


def holders(variable: str) -> set[str]:
    """The processes that see a variable."""
    return {name for name, environment in ENVIRONMENTS.items() if variable in environment}


def test_there_are_nine_processes() -> None:
    assert set(ENVIRONMENTS) == {
        "gateway",
        "relay",
        "catalog-worker",
        "jobs-api",
        "ledger",
        "notifier",
        "imaging",
        "reporting",
        "scheduler",
    }


def test_a_database_sign_in_is_seen_by_its_service_alone() -> None:
    assert holders("SOUK_CATALOG_DATABASE_URL") == {"gateway", "relay", "catalog-worker"}
    assert holders("SOUK_JOBS_DATABASE_URL") == {"jobs-api", "ledger"}
    for service in ("notifier", "reporting", "scheduler"):
        assert holders(f"SOUK_{service.upper()}_DATABASE_URL") == {service}
    assert holders("SOUK_DATABASE_URL") == set()


def test_a_service_key_is_seen_by_its_service_and_by_who_calls_it() -> None:
    assert holders("SOUK_CATALOG_KEY") == {"gateway", "notifier"}
    assert holders("SOUK_SYNC_KEY") == {"gateway", "catalog-worker"}
    assert holders("SOUK_VAPID_PRIVATE_KEY") == {"notifier"}
    assert holders("SOUK_JOBS_KEY") == {"gateway", "jobs-api"}
    for service in ("notifier", "reporting", "scheduler"):
        assert holders(f"SOUK_{service.upper()}_KEY") == {"gateway", service}


def test_mail_pictures_and_the_world_outside_are_for_those_who_need_them() -> None:
    assert holders("SOUK_SMTP_HOST") == {"notifier"}
    assert "imaging" in holders("SOUK_BLOBS_URL")
    assert "relay" not in holders("SOUK_BLOBS_URL") | holders("SOUK_OUTBOUND_ALLOW")


def test_each_signs_in_to_the_broker_as_itself() -> None:
    for name, environment in ENVIRONMENTS.items():
        assert environment["SOUK_AMQP_URL"] == f"amqp://{name}"


def test_replicas_share_a_sign_in_but_no_ports() -> None:
    replicas = replicas_of({"imaging": 3})
    imaging = [environment_of(each, WIRING) for each in replicas if each.blueprint.name == "imaging"]
    assert [each.name for each in replicas if each.blueprint.name == "imaging"] == ["imaging", "imaging-2", "imaging-3"]
    assert len({each["SOUK_AMQP_URL"] for each in imaging}) == 1
    assert len({each["SOUK_OPS_PORT"] for each in imaging}) == 3


def test_each_worker_has_a_state_folder_of_its_own_and_nobody_else_has_one() -> None:
    wiring = replace(WIRING, state="/state")
    folders = {each.name: environment_of(each, wiring).get("SOUK_STATE_DIR") for each in replicas_of({"imaging": 2})}
    assert {name: folder for name, folder in folders.items() if folder} == {
        name: f"/state/{name}" for name in ("ledger", "catalog-worker", "notifier", "imaging", "imaging-2", "reporting")
    }


def test_a_service_is_found_at_its_first_replica() -> None:
    replicas = replicas_of({"gateway": 2}, gateway_port=8080)
    gateways = [each for each in replicas if each.blueprint.name == "gateway"]
    assert service_urls(replicas)["catalog"] == f"http://127.0.0.1:{gateways[0].http_port}"
    assert [each.http_port for each in gateways].index(8080) == 0
    ports = [each.http_port for each in replicas] + [each.ops_port for each in replicas]
    assert len(set(ports)) == len(ports)
