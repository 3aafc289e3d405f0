"""`packshot rules`: what marketplaces ask for."""

import datetime
from typing import Annotated

import typer

from packshot.cli import options
from packshot.cli.connection import Connection, Proof
from packshot.cli.console import plural, print_json, stdout
from packshot.cli.tables import pack_table, packs_table
from packshot.report import message_to_dict


def list_packs(
    as_json: options.Json = False,
    server: options.Server = None,
    api_key: options.ApiKey = None,
    token: options.Token = None,
    tls: options.Tls = False,
    tls_ca: options.TlsCa = None,
    tls_cert: options.TlsCert = None,
    tls_key: options.TlsKey = None,
    timeout: options.Timeout = 30.0,
) -> None:
    """List the marketplaces whose rules are known."""
    with Connection(server, Proof(api_key, token, tls, tls_ca, tls_cert, tls_key), timeout).open() as client:
        packs = client.list_rule_packs()
    if as_json:
        print_json({"packs": [message_to_dict(pack) for pack in packs]})
        return
    console = stdout()
    console.print(packs_table(packs))
    console.print(f"{plural(len(packs), 'marketplace')}; `packshot rules show ID` lists the rules of one")


def show_pack(
    pack_id: Annotated[str, typer.Argument(metavar="ID", help="E.g. amazon-us.")],
    category: options.Category = "",
    as_of: options.AsOf = None,
    as_json: options.Json = False,
    server: options.Server = None,
    api_key: options.ApiKey = None,
    token: options.Token = None,
    tls: options.Tls = False,
    tls_ca: options.TlsCa = None,
    tls_cert: options.TlsCert = None,
    tls_key: options.TlsKey = None,
    timeout: options.Timeout = 30.0,
) -> None:
    """Show a marketplace's rules: what is required, what is announced, and where that is written.

    \b
    [bold]Examples[/]
      packshot rules show amazon-us
      packshot rules show amazon-de --category apparel
      packshot rules show amazon-us --as-of 2027-02-01 --json
    """
    with Connection(server, Proof(api_key, token, tls, tls_ca, tls_cert, tls_key), timeout).open() as client:
        pack = client.get_rule_pack(pack_id, category=category)
    if as_json:
        print_json(message_to_dict(pack))
        return
    stdout().print(pack_table(pack, as_of or datetime.datetime.now(datetime.UTC).date()))
