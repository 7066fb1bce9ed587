"""The table: one line for each row, rates and times beside the raw ones."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from .figures import Report, Row, Unit

WIDTH = 150  # where the output is no terminal


def show(report: Report, console: Console) -> None:
    """Prints one store's table, what it was taken on, and what was left out."""
    table = Table(
        title=f"{report.store}{' (quick: the figures mean little)' if report.quick else ''}", title_justify="left"
    )
    for heading in ("measured", "gpujob"):
        table.add_column(heading, no_wrap=True, justify="left" if heading == "measured" else "right")
    table.add_column("raw, beside it in the same run")
    table.add_column("ratio", justify="right")
    table.add_column("how")
    for rows in report.rows.values():
        for row in rows:
            table.add_row(row.what, figure(row.value, row.unit), _beside(row), _ratio(row), row.detail)
        table.add_section()
    console.print(table)
    console.print("; ".join(f"{name}: {value}" for name, value in report.machine.items()), highlight=False)
    for name, reason in report.left_out.items():
        console.print(f"left out: {name}: {reason}", highlight=False)
    console.print(f"took {report.seconds:.0f} s", highlight=False)


def new_console() -> Console:
    """A console that is wide enough for the table wherever it goes."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


def figure(value: float, unit: Unit) -> str:
    """The value with as many digits as mean something."""
    if unit == "requests":
        return f"{value:g} req"
    text = f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
    return f"{text} {unit}".replace(" /s", "/s")


def _beside(row: Row) -> str:
    return f"{figure(row.raw, row.unit)}  {row.against}" if row.raw is not None else ""


def _ratio(row: Row) -> str:
    return "" if row.ratio is None else f"{row.ratio:.2f}" if row.ratio < 100 else f"{row.ratio:.0f}"
