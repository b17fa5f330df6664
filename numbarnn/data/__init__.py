"""Sequences in tables: Arrow columns in, Arrow columns out."""
