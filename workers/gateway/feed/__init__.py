"""How one gateway process feeds many readers of runs from the log.

One follower takes each fact of the log once (`follower`), and the newest ones are kept (`recent`). A reader is a
cursor: the sequence that it has got to (`readers`). What it wants is taken from the kept facts, or, when it is further
behind, read from the log a page at a time. So a slow reader holds nothing but a number, and one that comes back with
its `Last-Event-ID` is where it was. `hub` joins readers to runs, `events` writes what goes over the wire.
"""
