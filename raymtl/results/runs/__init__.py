"""Runs that have ended: all that is known of one, equality, kept epochs, leftovers."""
