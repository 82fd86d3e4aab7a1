"""Reading ideas: ordinary English in, kinds of records with fields and relations out, or the part that can't be read.

text → lines and clauses (`clauses`) → statements (`grammar`, `listing`, `items`) → kinds (`resolve`).
Every word must be consumed by some rule; a clause that no rule consumes is refused by name.
"""
