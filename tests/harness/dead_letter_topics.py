"""Records of dead-letter topics, byte for byte as the frameworks write them."""

import struct
import subprocess

from .cell import OUT

CONNECT = "__connect.errors."
STREAMS = "__streams.errors."
SHARE = "__dlq.errors."
SPRING = "kafka_dlt-"


def text(value):
    return str(value).encode()


def connect(topic, part, offset, message="failed"):
    """DeadLetterQueueReporter with context headers: all text."""
    return [(CONNECT + name, text(value)) for name, value in (
        ("topic", topic), ("partition", part), ("offset", offset),
        ("connector.name", "sink"), ("task.id", 0),
        ("stage", "VALUE_CONVERTER"), ("class.name", "a.JsonConverter"),
        ("exception.class.name", "a.errors.DataException"),
        ("exception.message", message), ("exception.stacktrace", "at a"))]


def spring(topic, part, offset, message="no"):
    """DeadLetterPublishingRecoverer: numbers in binary, big-endian."""
    return [(SPRING + "exception-fqcn", b"a.ListenerExecutionFailed"),
            (SPRING + "exception-cause-fqcn", b"com.acme.BadOrder"),
            (SPRING + "exception-message", text(message)),
            (SPRING + "original-topic", text(topic)),
            (SPRING + "original-partition", struct.pack(">i", part)),
            (SPRING + "original-offset", struct.pack(">q", offset)),
            (SPRING + "original-timestamp", struct.pack(">q", 1700000000000)),
            (SPRING + "original-timestamp-type", b"CreateTime")]


def streams(topic, part, offset, message="not 8"):
    """ExceptionHandlerUtils: toString() of the exception."""
    return [(STREAMS + name, text(value)) for name, value in (
        ("exception", f"a.SerializationException: {message}"),
        ("message", message), ("stacktrace", "at a"), ("topic", topic),
        ("partition", part), ("offset", offset))]


def share(topic, part, offset, message="Offset rejected by client."):
    """ShareGroupDLQStateManager."""
    return [(SHARE + name, text(value)) for name, value in (
        ("topic", topic), ("partition", part), ("offset", offset),
        ("group", "workers"), ("delivery.count", 5), ("message", message))]


def put(kafka, topic, records, *transaction):
    """records: (partition, key, value, headers), bytes; None for null.
    transaction: "commit" or "abort": all in one."""
    def hexed(value):
        return "-" if value is None else value.hex()
    lines = "".join(
        " ".join([topic, str(part), "0", hexed(key), hexed(value),
                  *(f"{n}={hexed(v)}" for n, v in headers)]) + "\n"
        for part, key, value, headers in records)
    subprocess.run([str(OUT / "bin" / "write-records"), kafka.bootstrap,
                    *transaction], input=lines.encode(), check=True)
