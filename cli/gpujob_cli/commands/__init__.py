"""The commands, one file per group; `gpujob_cli.menu` names them."""
