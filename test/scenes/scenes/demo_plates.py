"""Plate texts of the demo clips: never used in training stills."""

DEMO_PLATES: frozenset[str] = frozenset(
    [
        "鲁B8K263", "鲁BQ719S", "鲁B32T57", "鲁BH6058", "鲁B5E941", "鲁A9Z372", "京N4R816", "鲁B70F2D", "鲁BX1385", "鲁B96V04",
        "鲁BD23571", "鲁BF60849", "鲁BC4728", "鲁B27946", "鲁BJ5103", "鲁BM682W", "浙A3P597", "鲁BU8G41", "鲁B4N775", "鲁BT2096",
        "鲁BD80316", "鲁BF19472", "鲁BY3K68", "鲁B61885", "鲁B70268", "鲁BW9427", "鲁BL350C",
    ]
)
