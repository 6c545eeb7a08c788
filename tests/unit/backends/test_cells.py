import random

from appliance.backends.cells import CellTable


def test_random_appends_shares_and_truncates_keep_the_table_whole() -> None:
    chance, table = random.Random(0), CellTable(100, 8)
    for _ in range(500):
        sequence = chance.randrange(8)
        length = table.length(sequence)
        if length == 0 and chance.random() < 0.5:
            source = chance.randrange(8)
            table.share(source, sequence, chance.randint(0, table.length(source)) if source != sequence else 0)
        elif chance.random() < 0.6 and table.num_free() > 0:
            table.append(sequence, chance.randint(1, min(9, table.num_free())))
        else:
            table.truncate(sequence, chance.randint(0, length))
        table.check_integrity()
    for sequence in range(8):
        table.truncate(sequence, 0)
    assert table.num_free() == 100
