"""Verbs over HTTP: one table, and what derives from it.

    verbs     the table: who may do what, by which types, and what does it
    shapes    those types
    routes    a request → its verb → an answer
    openapi   the description of them all
    metrics   what `/metrics` says
    blobs     large results, which travel as bytes beside the table

A new verb is a row of the table and the types that it takes and returns; all else follows.
"""
