"""What the three shops offer: sixteen products each. Invented, and named by skus that never change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

CURRENCY: Final = "EUR"

Attribute = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Good:
    """One product as its shop submits it. `shop` counts from 0, `on_hand` is in pieces."""

    shop: int
    sku: str
    title: str
    description: str
    price_minor: int
    category: str
    on_hand: int
    attributes: Mapping[str, Attribute]

    @property
    def offer(self) -> dict[str, Any]:
        """The body of `POST /api/vendor/products`."""
        return {
            "sku": self.sku,
            "title": self.title,
            "description": self.description,
            "price": {"amount_minor": self.price_minor, "currency": CURRENCY},
            "category": self.category,
            "on_hand": self.on_hand,
            "attributes": dict(self.attributes),
        }


@dataclass(frozen=True, slots=True)
class Sale:
    """One seeded order: which goods, how many of each, and how long before the catalogue itself it was placed."""

    number: int
    hours_before: int
    lines: Sequence[tuple[str, int]]


_Row = tuple[str, str, str, int, str, int, Mapping[str, Attribute]]

_ATELIER_NORTH: Final[Sequence[_Row]] = (
    (
        "AN-MUG-OAT",
        "Stoneware mug, oat glaze",
        "Thrown on the wheel from iron-flecked stoneware, glazed inside and out. It holds 320 ml.",
        2400,
        "ceramics",
        64,
        {"material": "stoneware", "volume_ml": 320, "dishwasher_safe": True},
    ),
    (
        "AN-MUG-SEA",
        "Stoneware mug, sea glaze",
        "The same form as our oat mug under a running blue-green glaze, so that no two look alike. Holds 320 ml.",
        2600,
        "ceramics",
        48,
        {"material": "stoneware", "volume_ml": 320, "dishwasher_safe": True},
    ),
    (
        "AN-BOWL-23",
        "Serving bowl, 23 cm",
        "A wide bowl for salad or pasta with a foot that is easy to grip. Matt white outside, clear glaze inside.",
        4800,
        "ceramics",
        22,
        {"material": "stoneware", "diameter_cm": 23, "dishwasher_safe": True},
    ),
    (
        "AN-PLATE-27",
        "Dinner plate, 27 cm, set of two",
        "Flat plates with a low rim, fired at 1260 °C. They stack well and may go into oven and dishwasher.",
        5600,
        "kitchen",
        30,
        {"material": "stoneware", "diameter_cm": 27, "pieces": 2},
    ),
    (
        "AN-TEAPOT",
        "Teapot with bamboo handle, 0.9 l",
        "A round-bellied pot with a sieve of fired clay behind the spout, so that it needs no strainer.",
        8900,
        "kitchen",
        14,
        {"material": "stoneware", "volume_ml": 900, "handle": "bamboo"},
    ),
    (
        "AN-VASE-S",
        "Bud vase, slim neck",
        "For one stem or three. Unglazed outside with the marks of the wheel left on, glazed inside and watertight.",
        3200,
        "home-living",
        41,
        {"material": "stoneware", "height_cm": 18},
    ),
    (
        "AN-VASE-L",
        "Floor vase, charcoal",
        "Built from coils over two days and fired slowly. 46 cm tall and heavy enough to stand by itself.",
        18900,
        "home-living",
        7,
        {"material": "stoneware", "height_cm": 46, "weight_kg": 5.4},
    ),
    (
        "AN-BUTTER",
        "Butter dish with lid",
        "Takes a whole 250 g block. The lid's knob is turned from cherry wood and screwed in from below.",
        4200,
        "kitchen",
        26,
        {"material": "stoneware, cherry", "width_cm": 17},
    ),
    (
        "AN-CANDLE",
        "Candlestick, pair",
        "Two low candlesticks for ordinary table candles, with a felt foot that spares the table.",
        3800,
        "home-living",
        33,
        {"material": "porcelain", "pieces": 2},
    ),
    (
        "AN-TOWEL-LIN",
        "Linen tea towel, stripe",
        "Washed linen of 210 g/m², woven in stripes of indigo and natural. Dries glasses without lint.",
        1900,
        "textiles",
        120,
        {"material": "linen", "size_cm": "50 x 70", "wash_celsius": 60},
    ),
    (
        "AN-CLOTH-LIN",
        "Linen tablecloth, 140 x 220 cm",
        "Stonewashed, so that it needs no iron. Mitred corners; the colour goes with every plate we make.",
        9800,
        "textiles",
        18,
        {"material": "linen", "size_cm": "140 x 220", "wash_celsius": 60},
    ),
    (
        "AN-THROW",
        "Lambswool throw, herringbone",
        "Woven from undyed lambswool in herringbone, fringed by hand. Warm without weight: 900 g.",
        14900,
        "textiles",
        16,
        {"material": "lambswool", "size_cm": "130 x 190"},
    ),
    (
        "AN-CUSHION",
        "Cushion cover, hand-woven",
        "Heavy cotton in a diamond weave with a hidden zip. The filling of 45 x 45 cm is not included.",
        4400,
        "textiles",
        52,
        {"material": "cotton", "size_cm": "45 x 45"},
    ),
    (
        "AN-SCARF",
        "Merino scarf, double-faced",
        "Charcoal on one side and ochre on the other, woven in one go. Soft enough for bare skin.",
        7900,
        "fashion",
        29,
        {"material": "merino wool", "length_cm": 190},
    ),
    (
        "AN-APRON",
        "Workshop apron, waxed cotton",
        "Cross-back straps, two pockets and a loop for a towel: what we wear ourselves at the wheel.",
        6900,
        "fashion",
        24,
        {"material": "waxed cotton", "size": "one size"},
    ),
    (
        "AN-RING-DISH",
        "Ring dish with gold rim",
        "A palm-sized dish of porcelain for what you take off at night. The rim is real gold, so wash it by hand.",
        2200,
        "jewellery",
        70,
        {"material": "porcelain, gold", "diameter_cm": 10, "dishwasher_safe": False},
    ),
)

_BRASS_AND_BIRCH: Final[Sequence[_Row]] = (
    (
        "BB-DESK-LAMP",
        "Desk lamp with brass arm",
        "A jointed arm of solid brass on a birch foot. The joint holds every position; the switch is in the cord.",
        17900,
        "lighting",
        19,
        {"material": "brass, birch", "socket": "E27", "max_watt": 40},
    ),
    (
        "BB-PENDANT",
        "Pendant lamp, spun brass",
        "Spun from one sheet and left unlacquered, so that it darkens as you live with it. 2 m of woven cable.",
        21900,
        "lighting",
        12,
        {"material": "brass", "diameter_cm": 32, "socket": "E27"},
    ),
    (
        "BB-FLOOR-LAMP",
        "Reading lamp, three birch legs",
        "Legs of steam-bent birch and a shade of pleated paper. 150 cm tall and steady on uneven floors.",
        28900,
        "lighting",
        9,
        {"material": "birch, paper", "height_cm": 150, "socket": "E27"},
    ),
    (
        "BB-WALL-LAMP",
        "Wall lamp with swivel arm",
        "Reaches 60 cm from the wall and folds back flat. Wire it in or use the plug that comes with it.",
        14900,
        "lighting",
        21,
        {"material": "brass", "reach_cm": 60, "socket": "E14"},
    ),
    (
        "BB-NIGHT-LIGHT",
        "Rechargeable night light",
        "A mushroom of birch with a warm light that dims by touch. Twelve hours on one charge by USB-C.",
        5900,
        "electronics",
        45,
        {"material": "birch", "battery_hours": 12, "charger": "USB-C"},
    ),
    (
        "BB-STOOL",
        "Three-legged stool",
        "Wedged tenons and no screw in it. The seat is hollowed by hand; it bears 150 kg.",
        15900,
        "furniture",
        17,
        {"material": "birch", "height_cm": 45, "max_kg": 150},
    ),
    (
        "BB-BENCH",
        "Hall bench with shoe rack",
        "A bench for two with a slatted rack below. It comes in five parts and goes together with one key.",
        34900,
        "furniture",
        8,
        {"material": "birch", "width_cm": 110, "assembly": True},
    ),
    (
        "BB-SIDE-TABLE",
        "Side table with brass tray",
        "The tray lifts off and carries the tea; what remains is a table. 40 cm across.",
        22900,
        "furniture",
        11,
        {"material": "birch, brass", "diameter_cm": 40},
    ),
    (
        "BB-SHELF",
        "Wall shelf, 80 cm",
        "One board of solid birch on two brass brackets that vanish into the wood. Fixings are included.",
        8900,
        "furniture",
        34,
        {"material": "birch, brass", "width_cm": 80, "max_kg": 12},
    ),
    (
        "BB-DESK",
        "Writing desk with drawer",
        "A desk for a small room: 110 x 60 cm, a dovetailed drawer, and a groove at the back that hides the cables.",
        64900,
        "furniture",
        6,
        {"material": "birch", "width_cm": 110, "assembly": True},
    ),
    (
        "BB-HOOKS",
        "Coat hooks, set of three",
        "Cast in sand and polished by hand. Each takes a heavy coat and hides its screw.",
        4900,
        "home-living",
        58,
        {"material": "brass", "pieces": 3},
    ),
    (
        "BB-CLOCK",
        "Wall clock, silent",
        "Hands of brass over a face of birch, and a sweep movement that does not tick. One AA cell a year.",
        8400,
        "home-living",
        27,
        {"material": "birch, brass", "diameter_cm": 30},
    ),
    (
        "BB-BOOKENDS",
        "Bookends, pair",
        "Two quarter circles of brass, 1.1 kg each, felted below: they hold atlases, not only paperbacks.",
        7400,
        "home-living",
        31,
        {"material": "brass", "weight_kg": 2.2, "pieces": 2},
    ),
    (
        "BB-LANTERN",
        "Garden lantern",
        "For a candle or a solar light. The glass slides out for cleaning, and rain does it no harm.",
        6900,
        "outdoor",
        36,
        {"material": "brass, glass", "height_cm": 28},
    ),
    (
        "BB-BIRDHOUSE",
        "Nesting box for tits",
        "Untreated larch with a brass ring round the 28 mm hole, so that no woodpecker makes it wider.",
        3900,
        "outdoor",
        40,
        {"material": "larch, brass", "hole_mm": 28},
    ),
    (
        "BB-TROWEL",
        "Hand trowel, forged",
        "Forged from one piece and riveted into ash. It will outlast the garden.",
        3400,
        "outdoor",
        75,
        {"material": "steel, ash", "length_cm": 32},
    ),
)

_PAPERMILL_LANE: Final[Sequence[_Row]] = (
    (
        "PL-NOTE-A5-DOT",
        "Notebook A5, dotted",
        "192 pages of 100 g paper that takes a fountain pen, sewn in threads so that it lies flat when open.",
        1800,
        "books",
        140,
        {"pages": 192, "ruling": "dotted", "size": "A5"},
    ),
    (
        "PL-NOTE-A5-LINE",
        "Notebook A5, lined",
        "The same book with lines 7 mm apart and a table of contents to fill in. Two ribbons.",
        1800,
        "books",
        133,
        {"pages": 192, "ruling": "lined", "size": "A5"},
    ),
    (
        "PL-SKETCH-A4",
        "Sketchbook A4, 150 g",
        "Rough natural white for pencil, charcoal and a light wash. Spiral bound, 80 sheets.",
        2400,
        "books",
        66,
        {"sheets": 80, "size": "A4", "weight_gsm": 150},
    ),
    (
        "PL-PLANNER",
        "Week planner, undated",
        "Begin in any week of any year: a week on two pages, with room for what will not be done.",
        2900,
        "books",
        82,
        {"pages": 128, "size": "A5", "dated": False},
    ),
    (
        "PL-GUEST",
        "Guest book, linen bound",
        "A square book of heavy paper with a slipcase. The edges are cut clean and the spine is rounded.",
        4900,
        "books",
        25,
        {"pages": 120, "size_cm": "24 x 24"},
    ),
    (
        "PL-POCKET-3",
        "Pocket books, set of three",
        "Three thin books for the pocket, stapled, with rounded corners: one plain, one lined, one squared.",
        1200,
        "books",
        210,
        {"pages": 48, "pieces": 3, "size": "A6"},
    ),
    (
        "PL-LETTER-SET",
        "Letter set with lined envelopes",
        "Twenty sheets and ten envelopes of cotton paper, printed on a press of 1961.",
        2600,
        "books",
        54,
        {"sheets": 20, "envelopes": 10, "material": "cotton paper"},
    ),
    (
        "PL-CARDS-FERN",
        "Folding cards “Fern”, set of six",
        "Six ferns of six woods, printed from linocuts in two greens. Blank inside, with envelopes.",
        1500,
        "books",
        96,
        {"pieces": 6, "print": "linocut"},
    ),
    (
        "PL-CARDS-THANKS",
        "Thank-you cards, set of eight",
        "One word, set by hand in wood type, in eight colours. With envelopes of recycled paper.",
        1600,
        "books",
        88,
        {"pieces": 8, "print": "letterpress"},
    ),
    (
        "PL-PRINT-HARBOUR",
        "Art print “Harbour at six”",
        "A screen print in five colours on 300 g cotton, 50 x 70 cm, signed and numbered. It comes rolled.",
        12900,
        "home-living",
        15,
        {"size_cm": "50 x 70", "print": "screen print", "edition": 120},
    ),
    (
        "PL-PRINT-MOON",
        "Art print “Phases”",
        "Twenty-eight moons in silver on midnight blue. Screen print, 40 x 50 cm, signed.",
        8900,
        "home-living",
        23,
        {"size_cm": "40 x 50", "print": "screen print", "edition": 200},
    ),
    (
        "PL-MAP-CITY",
        "Wall map of a city that is not there",
        "Drawn in ink over a winter: 1,400 streets, three rivers, no way out. 70 x 100 cm.",
        5900,
        "home-living",
        38,
        {"size_cm": "70 x 100", "print": "offset"},
    ),
    (
        "PL-GARLAND",
        "Paper garland, 3 m",
        "Sixty discs cut from offcuts of our prints, threaded on linen. No two garlands are alike.",
        1900,
        "home-living",
        3,
        {"length_cm": 300, "material": "paper, linen"},
    ),
    (
        "PL-PUZZLE-1000",
        "Jigsaw “The paper mill”, 1000 pieces",
        "A cut through the mill from roof to wheel, with something to find in each room. Grey board, no plastic.",
        3200,
        "toys",
        47,
        {"pieces": 1000, "age_from": 10},
    ),
    (
        "PL-THEATRE",
        "Paper theatre to build",
        "A stage, four backdrops and twenty figures on six sheets, to cut out and glue. For rainy weekends.",
        2800,
        "toys",
        0,
        {"sheets": 6, "age_from": 8},
    ),
    (
        "PL-MEMORY",
        "Pairs game “Leaves”",
        "Thirty-six pairs of leaves, each the front and the back of the same one: harder than it looks.",
        2100,
        "toys",
        61,
        {"pieces": 72, "age_from": 5},
    ),
)

GOODS: Final[Sequence[Good]] = tuple(
    Good(shop, *row) for shop, rows in enumerate((_ATELIER_NORTH, _BRASS_AND_BIRCH, _PAPERMILL_LANE)) for row in rows
)
"""All 48. One is sold out and one is nearly so, as in any shop."""

SALES: Final[Sequence[Sale]] = (
    Sale(1, 26, (("AN-MUG-OAT", 4), ("AN-MUG-SEA", 2))),
    Sale(2, 31, (("BB-DESK-LAMP", 1),)),
    Sale(3, 44, (("PL-NOTE-A5-DOT", 5), ("PL-POCKET-3", 3))),
    Sale(4, 52, (("AN-TOWEL-LIN", 6), ("PL-CARDS-FERN", 2))),
    Sale(5, 67, (("PL-PRINT-HARBOUR", 1),)),
    Sale(6, 75, (("BB-STOOL", 2), ("BB-HOOKS", 1))),
    Sale(7, 98, (("AN-BOWL-23", 1), ("AN-PLATE-27", 2), ("AN-CLOTH-LIN", 1))),
    Sale(8, 121, (("PL-PUZZLE-1000", 2),)),
    Sale(9, 144, (("BB-LANTERN", 2), ("BB-TROWEL", 1))),
    Sale(10, 170, (("AN-SCARF", 1), ("AN-RING-DISH", 2))),
    Sale(11, 215, (("BB-NIGHT-LIGHT", 3),)),
    Sale(12, 260, (("PL-LETTER-SET", 2), ("AN-CANDLE", 1), ("BB-CLOCK", 1))),
)
"""Orders of the ten days before, over all three shops."""
