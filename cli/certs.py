"""`./glossa certs`: the certificates with which every connection of a stack is encrypted."""

from __future__ import annotations

from pathlib import Path

import click

from cli.refusals import told

own_directory_option = click.option(
    "--dir",
    "own_directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where they lie.  [default: as for certs]",
)
hosts_option = click.option(
    "--host",
    "hosts",
    multiple=True,
    help="A name or address under which this machine is reached; may be given several times.",
)


@click.group(invoke_without_command=True)
@click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="GLOSSA_CERTIFICATES_DIR",
    default=Path("var/certificates"),
    show_default=True,
    help="Where they lie.",
)
@hosts_option
@click.pass_context
def certs(context: click.Context, directory: Path, hosts: tuple[str, ...]) -> None:
    """Make an authority of your own, and a certificate for each service.

    They are for the services' own names, localhost and every --host; `client` is for the command
    line, displays and Prometheus. An authority that is there is never overwritten.

    \b
    ./glossa certs --host glossa.local --host 192.168.1.10
    GLOSSA_CERTIFICATES_DIR=var/certificates ./glossa up
    """
    context.obj = directory
    if context.invoked_subcommand is not None:
        return
    from cli.certificate_authority import CA_DAYS, CA_KEY_FILE, LEAF_DAYS, make_all
    from services.certificates import CA_FILE

    with told():
        make_all(directory, hosts)
    click.echo(f"made an authority for {CA_DAYS} days, and certificates for {LEAF_DAYS}")
    click.echo(f"phones and browsers are to trust {directory / CA_FILE}")
    click.echo(
        f"with {directory / CA_KEY_FILE} anyone can pass for this church: keep it elsewhere, on a "
        "USB stick; renewing alone needs it"
    )
    click.echo(f"next GLOSSA_CERTIFICATES_DIR={directory} ./glossa up")


@certs.command()
@own_directory_option
@hosts_option
@click.option(
    "--ca-key",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The authority's key, if it is kept elsewhere.  [default: DIR/ca-key.pem]",
)
@click.pass_obj
def renew(
    directory: Path, own_directory: Path | None, hosts: tuple[str, ...], ca_key: Path | None
) -> None:
    """Make new certificates, for the hosts of the old ones and every --host.

    Whoever trusts the authority trusts them. Services take them up within a second of the next
    connection; captions with a certificate file of its own takes that up when it starts.
    """
    from cli.certificate_authority import LEAF_DAYS
    from cli.certificate_authority import renew as make_anew

    with told():
        make_anew(own_directory or directory, hosts, ca_key)
    click.echo(f"made new certificates for {LEAF_DAYS} days")


@certs.command()
@own_directory_option
@click.pass_context
def show(context: click.Context, own_directory: Path | None) -> None:
    """List them: for whom, and how long. Exits with 1 when one is expired, or within 30 days."""
    from rich.console import Console
    from rich.table import Table

    from cli.certificate_list import listed

    directory = own_directory or context.obj
    entries = listed(directory)
    if not entries:
        raise click.ClickException(
            f"there are no certificates in {directory}; ./glossa certs makes them"
        )
    table = Table("name", "hosts", "expires in days", "problem")
    for entry in entries:
        style = None if entry.is_good else "red"
        table.add_row(
            entry.name, ", ".join(entry.hosts), str(entry.days_left), entry.problem, style=style
        )
    Console(highlight=False).print(table)
    context.exit(0 if all(entry.is_good for entry in entries) else 1)
