"""Statements, their values as parameters, and the rows that they give."""
