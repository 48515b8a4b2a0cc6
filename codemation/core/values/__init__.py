"""Typed round trips of item values as JSON text: what a node returned comes back equal, and of the same types.

Read in the order of the data: `refusal` (what cannot be stored) → `coding` (the walk over a value and back) →
`scalars`, `containers`, `arrays`, `choices`, `records` (what the walk knows) → `batch` (many values as bytes).

The stored form
---------------
`None`, booleans, strings, finite floats and ordinary ints stand for themselves, a list is an array, and a dict whose
keys are strings is an object. Everything else is a *tagged object* `{"$": tag, …}`; a dict that has a key `"$"` itself
is written as the tagged object of a dict with arbitrary keys, so that no data of a user is taken for a tag. The text is
strict JSON in UTF-8 (no `NaN`, no lone surrogates), and the same value always gives the same bytes.

Classes
-------
Models, dataclasses and namedtuples are stored with the name of their class (`module:qualname`) and a fingerprint of
its fields. On the way back:

* the class is there with the same fields: the object is built exactly as it was, and no validator runs;
* its fields have changed: the stored fields are validated by the class of today, and a `ContractError` names class and
  field if they do not fit;
* the class is gone, or lives where this process cannot import it from: the fields come back as a plain dict, which a
  consumer that is annotated with another model can still read. (An enum comes back as its value.)

A payload never makes anything but models, dataclasses, namedtuples and enums, whatever it names. A class that is
defined inside a function can be found only by the process that stored it; elsewhere its objects come back as dicts.
"""

from __future__ import annotations

from codemation.core.values import arrays, choices, containers, records, scalars
from codemation.core.values.batch import pack, unpack
from codemation.core.values.classes import classes_of
from codemation.core.values.coding import decode, encode, register
from codemation.core.values.refusal import MAX_DEPTH, Unstorable

__all__ = ["MAX_DEPTH", "Unstorable", "classes_of", "decode", "encode", "pack", "register", "unpack"]

for _family in (scalars, containers, arrays, choices, records):
    _family.install()
