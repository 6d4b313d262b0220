"""Telling what happened: values of finished sessions in, plain text out; nothing here reads files, clocks or pytest."""
