import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from packshot.client import ProcessArguments
from packshot.client._requests import CHUNK_BYTES, MAX_UNARY_BYTES, process_options, stream_messages
from packshot.v1.packshot_pb2 import ARRANGEMENT_ARRANGE, SHADOW_SOFT, ProcessOptions

OPTIONS = ProcessOptions(category="beauty")


@settings(max_examples=15)  # photos above 20 MiB take their time
@example(extra=1)
@example(extra=CHUNK_BYTES)
@given(extra=st.integers(1, 3 * CHUNK_BYTES))
def test_chunks_are_the_photo_cut_up_and_only_the_last_says_so(extra: int) -> None:
    photo = _PHOTO[: MAX_UNARY_BYTES + extra]
    first, *chunks = stream_messages("mug", OPTIONS, photo)
    assert first.item.options == OPTIONS
    assert not first.item.photo
    assert first.item.item_id == "mug"
    assert {c.chunk.item_id for c in chunks} == {"mug"}
    assert b"".join(c.chunk.data for c in chunks) == photo
    assert all(0 < len(c.chunk.data) <= CHUNK_BYTES for c in chunks)
    assert [c.chunk.last for c in chunks] == [False] * (len(chunks) - 1) + [True]


def test_a_small_photo_is_one_message() -> None:
    (message,) = stream_messages("mug", OPTIONS, b"mug")
    assert message.item.photo == b"mug"


def test_shadow_and_arrangement_are_words() -> None:
    asked = process_options(ProcessArguments(shadow="soft", arrangement="arrange"))
    assert asked == ProcessOptions(shadow=SHADOW_SOFT, arrangement=ARRANGEMENT_ARRANGE)
    assert process_options(ProcessArguments(shadow="none", arrangement="keep")) == ProcessOptions()


@pytest.mark.parametrize("wrong", [{"shadow": "long"}, {"arrangement": "heap"}, {"outputs": ["gif"]}])
def test_an_unknown_word_is_refused_with_the_known_ones(wrong: ProcessArguments) -> None:
    with pytest.raises(ValueError, match=r"unknown (shadow 'long'|arrangement 'heap'|output 'gif'): choose from "):
        process_options(wrong)


_PHOTO = bytes(range(251)) * ((MAX_UNARY_BYTES + 3 * CHUNK_BYTES) // 251 + 1)
