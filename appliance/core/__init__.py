"""Data only: frozen structs and pure functions that every layer shares. No I/O, no clock, no log, no import of ours."""
