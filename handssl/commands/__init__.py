"""The sub-commands of `handssl`; `handssl.cli.COMMANDS` lists them."""
