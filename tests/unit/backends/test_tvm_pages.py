"""Which pages each sequence holds, against sequences that are plain lists of tokens in memory of their own."""

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.backends.tvm.pages import PageTable
from kernels.paging import PAGE

NUM_PAGES, NUM_SEQUENCES = 12, 4


class Memory:
    """Pages with contents, written as a step would write them, and what each sequence should read."""

    def __init__(self) -> None:
        self.table = PageTable(NUM_PAGES, NUM_SEQUENCES)
        self.pages: list[list[int | None]] = [[None] * PAGE for _ in range(NUM_PAGES)]
        self.expected: list[list[int]] = [[] for _ in range(NUM_SEQUENCES)]
        self.next_token = 0

    def append(self, sequence: int, count: int) -> None:
        start = len(self.expected[sequence])
        before = [list(self.table.pages(each)) for each in range(NUM_SEQUENCES)]
        copies = self.table.reserve(sequence, start, start + count)
        if copies is None:
            assert [list(self.table.pages(each)) for each in range(NUM_SEQUENCES)] == before
            return
        for source, target in copies:
            self.pages[target] = list(self.pages[source])
        for position in range(start, start + count):
            self.pages[self.table.pages(sequence)[position // PAGE]][position % PAGE] = self.next_token
            self.expected[sequence].append(self.next_token)
            self.next_token += 1

    def share(self, source: int, target: int, count: int) -> None:
        if source != target and not self.expected[target] and count <= len(self.expected[source]):
            self.table.share(source, target, count)
            self.expected[target] = self.expected[source][:count]

    def truncate(self, sequence: int, count: int) -> None:
        count = min(count, len(self.expected[sequence]))
        self.table.truncate(sequence, count)
        del self.expected[sequence][count:]

    def check(self) -> None:
        held = set[int]()
        for sequence, expected in enumerate(self.expected):
            pages = self.table.pages(sequence)
            assert len(pages) == -(-len(expected) // PAGE)
            assert [self.pages[pages[at // PAGE]][at % PAGE] for at in range(len(expected))] == expected
            held |= set(pages)
        assert self.table.num_free == NUM_PAGES - len(held)


sequences, counts = st.integers(0, NUM_SEQUENCES - 1), st.integers(1, 40)
actions = st.one_of(
    st.tuples(st.just("append"), sequences, counts),
    st.tuples(st.just("share"), sequences, sequences, counts),
    st.tuples(st.just("truncate"), sequences, st.integers(0, 40)),
)


@settings(max_examples=300)
@given(st.lists(actions, max_size=40))
def test_a_sequence_reads_what_it_wrote_whatever_the_others_share_and_forget(steps: list[tuple[object, ...]]) -> None:
    memory = Memory()
    for name, *arguments in steps:
        getattr(memory, str(name))(*arguments)
        memory.check()


def test_a_page_is_copied_only_for_whoever_writes_behind_a_part_of_it() -> None:
    table = PageTable(4, 2)
    assert table.reserve(0, 0, PAGE + 4) == []
    table.share(0, 1, PAGE + 4)
    assert table.num_free == 2
    copies = table.reserve(1, PAGE + 4, PAGE + 5)
    assert copies is not None
    assert [copy.source for copy in copies] == [table.pages(0)[1]]
    assert table.pages(0)[0] == table.pages(1)[0]
    assert table.reserve(0, PAGE + 4, PAGE + 5) == []
