"""A report as text for a terminal. Pure."""

from collections.abc import Iterable, Sequence

from reconciler.core.report import Outcome, Report


def report_text(report: Report) -> str:
    """Return a headline, a table of the changes, and a table of the containers that were skipped."""
    return "\n".join(_lines(report))


def table(rows: Iterable[Sequence[str]], indent: str = "  ") -> list[str]:
    """Return rows as lines with aligned columns; the last column is not padded."""
    rows = [tuple(map(_plain, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _plain(cell: str) -> str:
    """Escape a text that is not printable, so that a container's name cannot control the terminal."""
    return cell if cell.isprintable() else ascii(cell)[1:-1]


def _lines(report: Report) -> Iterable[str]:
    if report.outcome == Outcome.FAILED:
        yield f"{report.host}: failed after {report.seconds:.2f} s, no row was changed"
        return
    if report.outcome == Outcome.BUSY:
        yield f"{report.host}: busy, a pass is under way"
        return
    if report.outcome == Outcome.SUPERSEDED:
        yield f"{report.host}: superseded by a younger pass, no row was changed"
        return
    would = "would be " if report.outcome == Outcome.PLANNED else ""
    yield (
        f"{report.host}: {report.listed} listed, {report.managed} ours: {would}{report.created} created, "
        f"{report.updated} updated, {report.missing} missing, {report.unchanged} unchanged ({report.seconds:.2f} s)"
        + (f", {report.moved} moved" if report.moved else "")
        + (f", {report.restarted} restarted" if report.restarted else "")
    )
    if report.held:
        yield f"  HELD  {report.hold_reason}; {report.held} rows wait for a second complete listing to agree"
    yield from table((change.kind.upper(), change.after.id, change.cause) for change in report.changes)
    yield from table(
        ("SKIP", skip.name or skip.container_id[:12] or "?", f"{skip.reason}: {skip.detail}") for skip in report.skips
    )
    if report.conflicts:
        yield f"  {report.conflicts} changes dropped: somebody changed the row meanwhile; another pass looks again"
