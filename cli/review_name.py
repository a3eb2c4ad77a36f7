"""Who reviews: the option that several verbs share."""

from __future__ import annotations

import getpass

import click

reviewer_option = click.option(
    "--reviewer",
    default=getpass.getuser,
    show_default="your user name",
    envvar="GLOSSA_REVIEWER",
    metavar="NAME",
    help="Who decides, as you want to be named.",
)
