"""Words of messages to people."""


def counted(number: int, what: str) -> str:
    """So many of something that is named in the singular.

    >>> counted(1, "event"), counted(0, "event"), counted(2000, "event of a/b")
    ('1 event', '0 events', '2,000 events of a/b')
    """
    noun, space, rest = what.partition(" ")
    return f"{number:,} {noun}{'' if number == 1 else 's'}{space}{rest}"
