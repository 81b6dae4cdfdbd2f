"""What the page alone is given: its own files, and the forms in which it draws runs.

    static     the files that its build left
    timeline   a run's rows as packed columns
    graph      what depended on what, by name
    looks      how each state is shown

What everybody reads, the page too, are `api.views`.
"""
