"""The GraphQL window: any question about the store's sources, answered by one SQL statement whose JSON the database builds.

    schema    the types, generated from the store's catalogue
    scalars   values: from what a request says to what a statement takes
    document  a text, parsed, validated and kept
    compile   an operation and the shape of its variables → a plan: one statement with its parameters
    answer    a request → bytes
    window    the HTTP routes

Places left: *permissions* are `compile.Sight`, whose predicate the compiler AND-s to every source that a statement
touches; *limits* on cost and time belong beside those in `limits`; a *subscription* is a plan that is run again when
the watch engine says so.
"""
