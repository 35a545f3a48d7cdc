"""Design section 6, for every daemon: a wrong configuration ends with status
78 and one line that names the key, at the start as with --check-config; and
what needs no configuration (--help, --version) always answers. No cell: if a
wrong configuration got as far as the network, these tests would time out."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import urllib.request

import pytest
from harness.cell import OUT
from harness.wait import until

# What each daemon must be given; nothing listens at these places.
NEEDED = {
    "trade-stream": {"feed_url": "ws://127.0.0.1:1/feed",
                     "bootstrap": "127.0.0.1:1"},
    "ledger-writer": {"bootstrap": "127.0.0.1:1",
                      "database_url": "host=127.0.0.1 port=1 dbname=d"},
    "outbox-relay": {"bootstrap": "127.0.0.1:1",
                     "database_url": "host=127.0.0.1 port=1 dbname=d"},
    "reconciler": {"database_url": "host=127.0.0.1 port=1 dbname=d"},
    "price-cache": {"primary_url": "http://127.0.0.1:1",
                    "listen": "127.0.0.1:0", "bootstrap": "127.0.0.1:1",
                    "database_url": "host=127.0.0.1 port=1 dbname=d"},
}
ALL = sorted(NEEDED)
WITH_KAFKA = [name for name in ALL if "bootstrap" in NEEDED[name]]
WITH_DATABASE = [name for name in ALL if "database_url" in NEEDED[name]]
WITH_PASSFILE = [name for name in WITH_DATABASE if name != "outbox-relay"]
# outbox-relay needs nothing: it has defaults for everything.
WITH_REQUIRED = [(name, key) for name, keys in (
    ("trade-stream", ("feed_url", "bootstrap")),
    ("ledger-writer", ("bootstrap", "database_url")),
    ("reconciler", ("database_url",)),
    ("price-cache", ("primary_url",))) for key in keys]
RESERVED = {"trade-stream": "acks", "outbox-relay": "enable.idempotence",
            "price-cache": "message.timeout.ms",
            "ledger-writer": "isolation.level"}
NOBODY = 65534


def clean_environment(**more):
    """Nothing of the machine's that a daemon or libpq would read."""
    kept = {k: v for k, v in os.environ.items()
            if not k.startswith(("CH_", "PG")) and
            not k.startswith(tuple(n.upper().replace("-", "_") + "_"
                                   for n in ALL))}
    return {**kept, **more}


def run(name, *flags, env=None, prefix=(), out=OUT):
    return subprocess.run(
        [*prefix, str(out / "bin" / name), *flags], timeout=60, check=False,
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
        env=clean_environment(**(env or {})))


def flags_of(name, **more):
    """Those that are needed, and more; None takes one away."""
    merged = {**NEEDED[name], "admin_listen": "127.0.0.1:0", **more}
    return [f"--{k}={v}" for k, v in merged.items() if v is not None]


@pytest.fixture(params=["start", "check-config"])
def refused(request):
    """refused(name, key, *says, env=, **flags): both ways of reading it."""
    def check(name, key, *says, env=None, prefix=(), out=OUT, **flags):
        mode = ["--check-config"] if request.param == "check-config" else []
        ended = run(name, *mode, *flags_of(name, **flags), env=env,
                    prefix=prefix, out=out)
        told = ended.stdout + ended.stderr
        assert ended.returncode == 78, told
        lines = [line for line in told.splitlines()
                 if "event=config.invalid" in line]
        assert len(lines) == 1, told
        problem = re.search(r'error="((?:[^"\\]|\\.)*)"', lines[0])[1]
        problem = problem.replace('\\"', '"')
        assert problem.startswith((key + ":", key + " ")), problem
        for text in says:
            assert text in problem, problem
        return told
    return check


@pytest.mark.parametrize("name", ALL)
def test_needed_flags_alone_are_right(name):
    ended = run(name, "--check-config", *flags_of(name))
    assert (ended.returncode, ended.stdout) == (0, "configuration OK\n"), \
        ended.stderr


@pytest.mark.parametrize("name", ALL)
def test_unknown_key(refused, name):
    refused(name, "no_such_key", "from flag --no_such_key", no_such_key=1)


@pytest.mark.parametrize("name", ALL)
def test_unknown_key_of_a_file(refused, tmp_path, name):
    path = tmp_path / "conf"
    path.write_text("# ours\nlog_levle = debug\n")
    refused(name, "log_levle", f"{path}:2", "did you mean log_level?",
            config=path)


@pytest.mark.parametrize("name", ALL)
def test_bad_value(refused, name):
    refused(name, "drain_deadline", '"soon"', "from flag --drain_deadline",
            drain_deadline="soon")


@pytest.mark.parametrize("name", ALL)
def test_bad_value_of_the_environment(refused, name):
    variable = name.upper().replace("-", "_") + "_DRAIN_DEADLINE"
    refused(name, "drain_deadline", '"9"', f"from environment {variable}",
            env={variable: "9"})


@pytest.mark.parametrize("name", ALL)
def test_bad_listen_address(refused, name):
    refused(name, "admin_listen", "nonsense", "from flag --admin_listen",
            admin_listen="nonsense")


@pytest.mark.parametrize("name,key", WITH_REQUIRED)
def test_missing_required(refused, name, key):
    variable = name.upper().replace("-", "_") + "_" + key.upper()
    refused(name, key, "required, and not given by a flag", variable,
            **{key: None})


@pytest.mark.parametrize("name", WITH_KAFKA)
def test_bad_broker(refused, name):
    refused(name, "bootstrap", '"kafka:99999"', "from flag --bootstrap",
            bootstrap="kafka:9092,kafka:99999")


@pytest.mark.parametrize("name", WITH_KAFKA)
def test_unknown_kafka_property(refused, name):
    refused(name, "kafka.no.such", "from flag --kafka.no.such",
            "No such configuration property", **{"kafka.no.such": 1})


@pytest.mark.parametrize("name", WITH_KAFKA)
def test_kafka_property_of_the_environment(refused, name):
    refused(name, "kafka.socket.timeout.ms",
            "from environment CH_KAFKA__SOCKET_TIMEOUT_MS",
            env={"CH_KAFKA__SOCKET_TIMEOUT_MS": "soon"})


@pytest.mark.parametrize("name", WITH_KAFKA)
def test_reserved_kafka_property(refused, name):
    key = "kafka." + RESERVED[name]
    refused(name, key, f"from flag --{key}", "decided by the daemon",
            **{key: "1"})


@pytest.mark.parametrize("name", WITH_KAFKA)
def test_brokers_beside_bootstrap(refused, name):
    refused(name, "kafka.bootstrap.servers", "`bootstrap`",
            **{"kafka.bootstrap.servers": "127.0.0.1:2"})


@pytest.mark.parametrize("name", WITH_KAFKA)
def test_missing_certificate_authority(refused, name):
    refused(name, "kafka.ssl.ca.location",
            "from flag --kafka.ssl.ca.location",
            **{"kafka.security.protocol": "ssl",
               "kafka.ssl.ca.location": "/nonexistent/ca.pem"})


@pytest.mark.parametrize("name", WITH_KAFKA)
def test_kafka_secret_in_argv(refused, name):
    told = refused(name, "kafka.sasl.password",
                   "kafka.sasl.password_file",
                   **{"kafka.sasl.password": "hunter2"})
    assert "hunter2" not in told


@pytest.mark.parametrize("name", WITH_KAFKA)
def test_kafka_secret_file_that_is_not_there(refused, name):
    refused(name, "kafka.sasl.password_file", "/nonexistent/password",
            "No such file",
            **{"kafka.sasl.password_file": "/nonexistent/password"})


@pytest.mark.parametrize("name", WITH_DATABASE)
@pytest.mark.parametrize("url", ["postgresql://u:hunter2@127.0.0.1:1/d",
                                 "host=127.0.0.1 password=hunter2"])
def test_database_password_in_argv(refused, name, url):
    told = refused(name, "database_url", "command line", "passfile=",
                   database_url=url)
    assert "hunter2" not in told


@pytest.mark.parametrize("name", WITH_DATABASE)
def test_no_conninfo(refused, name):
    refused(name, "database_url", "from flag --database_url", "nonsense",
            database_url="nonsense=1")


@pytest.mark.parametrize("name", WITH_DATABASE)
def test_no_conninfo_with_a_password_is_not_repeated(refused, name):
    told = refused(name, "database_url", "from environment CH_DATABASE_URL",
                   database_url=None,
                   env={"CH_DATABASE_URL": "postgresql://u:hunter2@[::1/d"})
    assert "hunter2" not in told


def passfile(folder, mode):
    path = folder / "pgpass"
    path.write_text("*:*:*:*:hunter2\n")
    path.chmod(mode)
    return path


def in_url(name, path):
    return f"{NEEDED[name]['database_url']} passfile={path}"


@pytest.mark.parametrize("name", WITH_PASSFILE)
def test_passfile_that_is_not_there(refused, name):
    refused(name, "passfile", "from flag --passfile", "/nonexistent/pass",
            "No such file", passfile="/nonexistent/pass")


@pytest.mark.parametrize("name", WITH_DATABASE)
def test_passfile_of_the_url_that_is_not_there(refused, name):
    refused(name, "database_url", "passfile", "/nonexistent/pass",
            "No such file", database_url=in_url(name, "/nonexistent/pass"))


@pytest.mark.parametrize("name", WITH_DATABASE)
def test_passfile_of_the_environment_that_is_not_there(refused, name):
    refused(name, "database_url", "PGPASSFILE", "/nonexistent/pass",
            env={"PGPASSFILE": "/nonexistent/pass"})


@pytest.mark.parametrize("name", WITH_PASSFILE)
def test_passfile_that_everybody_may_read(refused, tmp_path, name):
    path = passfile(tmp_path, 0o644)
    told = refused(name, "passfile", str(path), "0644", "0600",
                   passfile=path)
    assert "hunter2" not in told


@pytest.mark.parametrize("name", WITH_DATABASE)
def test_passfile_of_the_url_that_everybody_may_read(refused, tmp_path, name):
    path = passfile(tmp_path, 0o604)
    refused(name, "database_url", str(path), "0604", "0600",
            database_url=in_url(name, path))


@pytest.mark.parametrize("name", WITH_DATABASE)
def test_passfile_that_is_right(tmp_path, name):
    path = passfile(tmp_path, 0o600)
    more = {"passfile": path} if name in WITH_PASSFILE else {}
    ended = run(name, "--check-config", *flags_of(
        name, database_url=in_url(name, path), **more),
        env={"PGPASSFILE": str(path)})
    assert ended.returncode == 0, ended.stderr


def test_missing_certificate_file_of_price_cache(refused):
    refused("price-cache", "ca_file", "/nonexistent/ca.pem",
            ca_file="/nonexistent/ca.pem")


def test_bad_public_address_of_price_cache(refused):
    refused("price-cache", "listen", "from flag --listen", "nonsense",
            listen="nonsense")


def test_missing_wallets_of_trade_stream(refused):
    refused("trade-stream", "wallets", "from flag --wallets",
            "/nonexistent/wallets", wallets="/nonexistent/wallets")


@pytest.mark.parametrize("name", ALL)
def test_help_needs_nothing(name):
    ended = run(name, "--help")
    assert ended.returncode == 0 and ended.stderr == ""
    for text in (name, "--check-config", "--admin-listen", "78",
                 *(f"--{key.replace('_', '-')}" for key in NEEDED[name])):
        assert text in ended.stdout


@pytest.mark.parametrize("name", ALL)
def test_version_names_the_libraries(name):
    ended = run(name, "--version")
    assert ended.returncode == 0 and ended.stderr == ""
    assert re.match(rf"{name} \S+ \(\S+\)\n", ended.stdout), ended.stdout
    for library in ("librdkafka", "libpq", "libcurl", "libwebsockets",
                    "OpenSSL"):
        assert re.search(rf"{library}\D*\d+\.\d+", ended.stdout), \
            ended.stdout


# ---- any user ----

@pytest.fixture(params=[NOBODY, 4242424])
def user(request):
    """(prefix, out, folder): how to run as a user without any right, the
    second without a name either, on copies of the programs that it can
    reach. Only root can become somebody else: others stay who they are."""
    if os.geteuid() != 0:
        with tempfile.TemporaryDirectory(prefix="ch-user-") as mine:
            yield [], OUT, pathlib.Path(mine)
        return
    uid = request.param
    with tempfile.TemporaryDirectory(prefix="ch-user-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o711)
        (folder / "bin").mkdir()
        for program in ALL:
            shutil.copy(OUT / "bin" / program, folder / "bin" / program)
        (folder / "work").mkdir()
        os.chown(folder / "work", uid, uid)
        yield ["setpriv", f"--reuid={uid}", f"--regid={uid}",
               "--clear-groups", "--no-new-privs", "--inh-caps=-all",
               "--bounding-set=-all"], folder, folder / "work"


@pytest.mark.parametrize("name", ALL)
def test_configuration_is_read_as_any_user(user, name):
    prefix, out, work = user
    ended = run(name, "--check-config", *flags_of(name), out=out,
                prefix=prefix, env={"HOME": str(work / "nowhere")})
    assert ended.returncode == 0, ended.stderr


def test_passfile_of_somebody_else(refused, user, tmp_path):
    prefix, out, _ = user
    # Root's own, behind root's folder; or nobody's at all.
    path = passfile(tmp_path, 0o600 if prefix else 0o000)
    refused("ledger-writer", "passfile", "Permission denied", str(path),
            passfile=path, prefix=prefix, out=out)


def get(port, path):
    url = f"http://127.0.0.1:{port}{path}"
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.status, answer.read().decode()


@pytest.mark.parametrize("name", ALL)
def test_whole_daemon_runs_as_any_user(user, name):
    """It lives without its Kafka and PostgreSQL and drains with 0, as a user
    who has no home and may write into one folder only."""
    prefix, out, work = user
    port_file, log = work / "port", work / "log"
    argv = [*prefix, str(out / "bin" / name), *flags_of(
        name, admin_port_file=port_file, drain_deadline="60s")]
    with log.open("wb") as sink:
        process = subprocess.Popen(
            argv, cwd="/", stdin=subprocess.DEVNULL, stdout=sink, stderr=sink,
            env=clean_environment(HOME=str(work / "nowhere")))
    try:
        until(lambda: port_file.exists() or process.poll() is not None, 60,
              f"{name} writes its admin port")
        assert process.poll() is None, log.read_text()
        port = int(port_file.read_text())
        assert get(port, "/livez")[0] == 200
        assert "process_" in get(port, "/metrics")[1]
        if prefix:
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            assert re.search(r"^Uid:\t(\d+)", status, re.M)[1] != "0"
        process.terminate()
        assert process.wait(90) == 0, log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
