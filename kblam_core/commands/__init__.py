"""One module per command of `python -m kblam_core`; cli.py puts them together."""
