"""What a table of the store is declared with: its comment, and its columns with theirs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table with its comment and its columns: name, DuckDB type, comment.

    `unlike` names columns of texts that are hardly ever alike, `alike` those of few different ones: told so, DuckDB
    need not find out for each block.
    """

    name: str
    comment: str
    columns: tuple[tuple[str, str, str], ...]
    unlike: tuple[str, ...] = ()
    alike: tuple[str, ...] = ()

    def ddl(self) -> list[str]:
        """Statements that create the table with its comments."""
        packed = {
            **dict.fromkeys(self.unlike, " USING COMPRESSION fsst"),
            **dict.fromkeys(self.alike, " USING COMPRESSION dictionary"),
        }
        columns = ", ".join(f'"{name}" {kind}{packed.get(name, "")}' for name, kind, _ in self.columns)
        statements = [f'CREATE TABLE "{self.name}" ({columns})', comment("TABLE", self.name, self.comment)]
        return statements + [comment("COLUMN", f'{self.name}"."{name}', text) for name, _, text in self.columns]


def comment(kind: str, name: str, text: str) -> str:
    """The statement that puts a comment on a table, view or column."""
    quoted = text.replace("'", "''")
    return f"COMMENT ON {kind} \"{name}\" IS '{quoted}'"
