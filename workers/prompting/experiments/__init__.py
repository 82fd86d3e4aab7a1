"""Experiments on prompts: who gets which version, what the outcomes prove, and when that is enough. No I/O, no clock.

assignment   which version a task gets
evidence     bets on "the candidate does it more often", in exact integers
amounts      bets on what tasks cost and take
split        whether tasks were split as they should have been
spending     how much evidence is enough, so that all candidates of a template together are wrong rarely
experiment   the fold of facts that decides
"""
