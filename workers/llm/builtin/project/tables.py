"""The data model: columns, constraints and the SQL that creates them."""

from contracts.v1.projects import Column, FieldSpec, Table
from workers.llm.builtin.project.blueprint import Blueprint, Kind, Pairing, Reference
from workers.llm.builtin.wordset import wordset

SQL_TYPES = {"integer": "INTEGER", "money": "INTEGER", "boolean": "INTEGER", "number": "REAL"}

SQL_KEYWORDS = wordset(
    "abort action add after all alter always analyze and as asc attach autoincrement before begin between by cascade "
    "case cast check collate column commit conflict constraint create cross current database default deferrable "
    "deferred delete desc detach distinct do drop each else end escape except exclude exclusive exists explain fail "
    "filter first following for foreign from full generated glob group groups having if ignore immediate in index "
    "indexed initially inner insert instead intersect into is isnull join key last left like limit match materialized "
    "natural no not nothing notnull null nulls of offset on or order others outer over partition plan pragma "
    "preceding primary query raise range recursive references regexp reindex release rename replace restrict "
    "returning right rollback row rows savepoint select set table temp temporary then ties to transaction trigger "
    "unbounded union unique update using vacuum values view virtual when where window with without"
)


def sql_name(name: str) -> str:
    """The name, quoted if SQL means something else by it."""
    return f'"{name}"' if name in SQL_KEYWORDS else name


def tables(plan: Blueprint) -> tuple[Table, ...]:
    """The tables in an order in which each refers only to earlier ones where that is possible."""
    return tuple(_table(kind) for kind in plan.kinds) + tuple(_pair_table(pairing) for pairing in plan.pairings)


def statements(plan: Blueprint) -> list[str]:
    """The SQL statements that create everything, indented for the migrations file."""
    created = [_create(table.name, _lines(table)) for table in map(_table, plan.kinds)]
    for pairing in plan.pairings:
        key = f"PRIMARY KEY ({sql_name(pairing.this_column)}, {sql_name(pairing.that_column)})"
        created.append(_create(pairing.table, [*_lines(_pair_table(pairing)), key], " WITHOUT ROWID"))
    indexed = [(r.kind.plural, r.column) for r in plan.references]
    indexed += [(pairing.table, pairing.that_column) for pairing in plan.pairings]
    created += [
        f"    CREATE INDEX {table}_by_{column} ON {sql_name(table)} ({sql_name(column)})" for table, column in indexed
    ]
    return created


def _create(name: str, lines: list[str], ending: str = "") -> str:
    body = ",\n".join(f"        {line}" for line in lines)
    return f"    CREATE TABLE {sql_name(name)} (\n{body}\n    ){ending}"


def _lines(table: Table) -> list[str]:
    return [f"{sql_name(column.name)} {column.type} {column.constraints}".strip() for column in table.columns]


def _table(kind: Kind) -> Table:
    moments = tuple(Column(name=name, type="TEXT", constraints="NOT NULL") for name in ("created_at", "updated_at"))
    key = Column(name="id", type="INTEGER", constraints="PRIMARY KEY AUTOINCREMENT")
    fields = tuple(_column(spec) for spec in kind.fields)
    return Table(name=kind.plural, columns=(key, *fields, *map(_reference_column, kind.references), *moments))


def _column(spec: FieldSpec) -> Column:
    rules = [
        "NOT NULL" if spec.required else "",
        "UNIQUE" if spec.unique else "",
        _check(spec),
    ]
    return Column(name=spec.name, type=SQL_TYPES.get(spec.type, "TEXT"), constraints=" ".join(filter(None, rules)))


def _check(spec: FieldSpec) -> str:
    if spec.type == "boolean":
        return f"CHECK ({sql_name(spec.name)} IN (0, 1))"
    if spec.type != "choice":
        return ""
    options = ", ".join("'" + choice.replace("'", "''") + "'" for choice in spec.choices)
    return f"CHECK ({sql_name(spec.name)} IN ({options}))"


def _reference_column(reference: Reference) -> Column:
    needed = "NOT NULL " if reference.required else ""
    target = f"REFERENCES {sql_name(reference.to.plural)} (id)"
    return Column(name=reference.column, type="INTEGER", constraints=needed + target)


def _pair_table(pairing: Pairing) -> Table:
    this = f"NOT NULL REFERENCES {sql_name(pairing.kind.plural)} (id) ON DELETE CASCADE"
    that = f"NOT NULL REFERENCES {sql_name(pairing.to.plural)} (id)"
    return Table(
        name=pairing.table,
        columns=(
            Column(name=pairing.this_column, type="INTEGER", constraints=this),
            Column(name=pairing.that_column, type="INTEGER", constraints=that),
        ),
    )
