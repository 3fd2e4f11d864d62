"""Messages for a journal that tell their number, and reading them back."""

from storage.journal import Entry, Journal


def entry(number: int, size: int = 150) -> Entry:
    """A message that tells its number."""
    return Entry(
        "mqtt", f"acme/ulm/{number % 3}", f"{number:08}".encode().ljust(size, b"."), 1_770_000_000_000_000 + number
    )


def entries(first: int, last: int) -> list[Entry]:
    return [entry(number) for number in range(first, last + 1)]


def numbers(journal: Journal, after: int = 0) -> list[int]:
    """The numbers of all messages, read in parts; each must be what was written."""
    found: list[int] = []
    while (rows := journal.read(after, 700, 10**6)).height:
        for offset, source, topic, payload, received_at in rows.iter_rows():
            number = int(payload[:8])
            assert (source, topic, payload, received_at) == entry(number, len(payload))
            found.append(number)
            after = offset
    return found
