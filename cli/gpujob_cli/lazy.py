"""Commands that are imported when they are run, so that `gpujob --help` costs hardly more than an empty program.

Every command gets the same four options (`--store`, `--profile`, `--json`, `-q`), which become its `Session`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Annotated, Any, get_type_hints

import typer
from typer.core import TyperGroup

from gpujob_cli.menu import COMMANDS, GROUPS, SECTIONS, Entry

HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}

Store = Annotated[
    str | None, typer.Option("--store", metavar="URL", help="The queue: s3://bucket/prefix, file:///path or a folder.")
]
Profile = Annotated[str | None, typer.Option("--profile", metavar="NAME", help="A profile of your config.toml.")]
Json = Annotated[bool, typer.Option("--json", help="The answer as JSON, for programs.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Ids or paths only.")]
SHARED: Mapping[str, tuple[Any, Any]] = {
    "store": (Store, None),
    "profile": (Profile, None),
    "json": (Json, False),
    "quiet": (Quiet, False),
}


class Interrupted(Exception):
    """Ctrl-C on its way past Typer, which would end with 130 and not say a word."""


class LazyGroup(TyperGroup):
    """A group that knows its commands by name and imports one when it is asked for."""

    entries: Mapping[str, Any] = {}
    sections: Mapping[str, tuple[str, ...]] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, in the order of the menu."""
        return list(self.entries)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, imported now; None for a name that is not on the menu."""
        entry = self.entries.get(cmd_name)
        if isinstance(entry, Entry):
            return load(cmd_name, entry)
        return None if entry is None else group(cmd_name, GROUPS[cmd_name], entry)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Like every group's, with a guess at what a wrong name was meant to be."""
        if args and args[0] not in self.entries and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], self.entries, n=1)
            ctx.fail(f"There is no command {args[0]!r}." + (f" Did you mean {near[0]!r}?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The menu, without importing what is on it."""
        for title, names in (self.sections or {"Commands": tuple(self.entries)}).items():
            with formatter.section(title):
                formatter.write_dl([(name, self._line(name)) for name in names])

    def _line(self, name: str) -> str:
        entry = self.entries[name]
        return entry.help if isinstance(entry, Entry) else GROUPS[name]


class Root(LazyGroup):
    """The whole menu."""

    entries = COMMANDS
    sections = SECTIONS

    def invoke(self, ctx: Any) -> Any:
        """What the command returns. Raises Interrupted."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise Interrupted from error


def group(name: str, help: str, entries: Mapping[str, Entry]) -> Any:
    """A command with commands of its own, such as `gpujob worker`."""
    kind = type(f"{name.title()}Group", (LazyGroup,), {"entries": entries})
    app = typer.Typer(cls=kind, help=help, add_completion=False, rich_markup_mode=None, context_settings=HELP_OPTIONS)
    app.callback(invoke_without_command=True)(show_help)
    return typer.main.get_command(app)


def show_help(ctx: typer.Context) -> None:
    """A group without a command shows what commands it has."""
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


def load(name: str, entry: Entry) -> Any:
    """The command of a menu entry, ready to run. Imports its module."""
    module, _, function = entry.where.partition(":")
    if entry.raw:
        return _passing_on(name, module, function)
    code = getattr(import_module(f"gpujob_cli.commands.{module}"), function)
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name, context_settings=HELP_OPTIONS, help=inspect.getdoc(code))(with_session(code))
    return typer.main.get_command(app)


def _passing_on(name: str, module: str, function: str) -> Any:
    """A command that gets its arguments as they are, `--help` among them."""

    def command(ctx: typer.Context) -> None:
        getattr(import_module(f"gpujob_cli.commands.{module}"), function)(ctx.args)

    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    settings = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
    app.command(name, context_settings=settings, add_help_option=False)(command)
    return typer.main.get_command(app)


def with_session(code: Callable[..., int | None]) -> Callable[..., int | None]:
    """`code` with the shared options in place of its `Session`, which is made from them."""

    def command(**given: Any) -> int | None:
        from gpujob_cli.session import Session

        shared = {name: given.pop(name) for name in SHARED}
        with Session(**shared) as session:
            return code(session, **given)

    hints = get_type_hints(code, include_extras=True)
    _, *own = inspect.signature(code).parameters.values()
    parameters = [
        inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=one.default, annotation=hints[one.name])
        for one in own
    ]
    parameters += [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in SHARED.items()
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    command.__doc__ = code.__doc__
    command.__name__ = code.__name__
    return command
