"""Arrays and tables in parcels: the same values come out, and they can be written into."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from agentflow.errors import Fault
from agentflow.functions.packs import encoded, open_pack, pieces
from agentflow.functions.parcels import pack, unpack

ARRAYS = st_numpy.arrays(
    dtype=st.one_of(
        st_numpy.scalar_dtypes(), st_numpy.unicode_string_dtypes(), st_numpy.array_dtypes()
    ),
    shape=st_numpy.array_shapes(min_dims=0, min_side=0, max_side=12),
    fill=st.nothing(),
)


def same(one: Any, other: Any) -> bool:
    return bool(
        one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    )


@pytest.mark.filterwarnings("ignore:Stored array in format")  # NumPy's, about names of fields
@settings(max_examples=50, deadline=None)
@given(array=ARRAYS, turned=st.booleans())
def test_an_array_comes_back_as_it_was(array: Any, turned: bool) -> None:
    array = array.T if turned else array
    for packed in (encoded({"a": [array]}, path="it"), b"".join(pieces([array], path="it") or ())):
        opened = open_pack(packed)
        found = opened["a"][0] if isinstance(opened, dict) else opened[0]
        assert same(found, array)


@pytest.mark.parametrize("size", [10, 100_000], ids=["small", "large"])
def test_an_array_can_be_written_into_and_changes_nothing_else(tmp_path: Path, size: int) -> None:
    place = {"blobs": str(tmp_path)}
    parcel = pack([np.arange(size), np.ones(size, "f4"), np.zeros(3)], place)
    first, second, third = unpack(parcel, place)
    for array in (first, second, third):
        assert array.flags.aligned
        array[:] += 1
    again = unpack(parcel, place)
    assert [array[0] for array in again] == [0, 1, 0]


def test_tables_and_numbers_stand_beside_arrays(tmp_path: Path) -> None:
    place = {"blobs": str(tmp_path)}
    table = pa.table({"x": range(50_000)})
    value = {"table": table, "large": 2**70, "array": np.arange(3), "text": "é"}
    found = unpack(pack(value, place), place)
    assert found["table"].equals(table)
    assert (found["large"], found["array"].tolist(), found["text"]) == (2**70, [0, 1, 2], "é")


def test_a_blob_that_was_changed_is_refused(tmp_path: Path) -> None:
    place = {"blobs": str(tmp_path)}
    parcel = pack(np.arange(100_000), place)
    (blob,) = (file for file in tmp_path.rglob("*") if file.is_file())
    blob.write_bytes(blob.read_bytes()[:-1] + b"?")
    with pytest.raises(Fault, match="was changed"):
        unpack(parcel, place)
    assert pack(np.arange(100_000), place) == parcel  # written anew
    assert unpack(parcel, place)[7] == 7
