"""Write `access.log` and `orders.csv` again, byte for byte the same.

The addresses are those reserved for documentation (RFC 5737); nobody's data is in here.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

HERE = Path(__file__).resolve().parent

PAGES = {
    "/": (30, 5_120),
    "/docs": (22, 18_432),
    "/docs/tutorial": (14, 24_576),
    "/api/executions": (18, 2_048),
    "/api/events": (9, 65_536),
    "/assets/site.css": (16, 9_216),
    "/assets/logo.svg": (12, 3_072),
    "/download/report.pdf": (2, 1_048_576),
    "/search": (7, 7_168),
}
"""Path → how often it is asked for, and about how many bytes it answers with."""

BUSY = [2, 1, 1, 1, 1, 2, 4, 7, 10, 12, 12, 11, 9, 10, 12, 12, 11, 9, 7, 6, 5, 4, 3, 2]
"""How busy each hour of the day is."""

GOODS = {"lamp": 3490, "desk": 18900, "chair": 12950, "shelf": 7925, "mat": 1499}
"""Stock-keeping unit → price in cents."""

COUNTRIES = ["DE", "FR", "IT", "NL", "PL"]


def access_log(lines: int = 2400) -> str:
    """One day of a small site's requests, with a bad quarter of an hour and a few torn lines."""
    chance = Random(20250314)
    hours = chance.choices(range(24), BUSY, k=lines)
    seconds = sorted(hour * 3600 + chance.randrange(3600) for hour in hours)
    paths, weights = list(PAGES), [weight for weight, _ in PAGES.values()]
    written = []
    for number, second in enumerate(seconds):
        clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
        client = f"{chance.choice(['192.0.2', '198.51.100'])}.{chance.randrange(1, 60)}"
        path = chance.choices(paths, weights)[0]
        bad_quarter = second // 900 == 14 * 4 + 1
        failing = path.startswith("/api") and chance.random() < (0.7 if bad_quarter else 0.05)
        statuses = [500, 502, 503] if failing else [200] * 18 + [304, 404]
        status = chance.choice(statuses)
        size = int(PAGES[path][1] * (0.8 + 0.4 * chance.random())) if status == 200 else 0
        method = "POST" if path == "/search" and chance.random() < 0.3 else "GET"
        line = f'{client} - - [14/Mar/2025:{clock} +0000] "{method} {path} HTTP/1.1" '
        written.append(line[:40] if number % 601 == 600 else f"{line}{status} {size or '-'}")
    return "\n".join(written) + "\n"


def order_book(rows: int = 300) -> str:
    """Orders of a small shop; about one in fifty is not as it should be."""
    chance = Random(20250315)
    lines = ["id,sku,quantity,price,country"]
    for number in range(1, rows + 1):
        sku = chance.choice(list(GOODS))
        quantity = str(chance.choice([1, 1, 1, 2, 2, 3, 4, 6]))
        country = chance.choices(COUNTRIES, [9, 6, 4, 3, 2])[0]
        match number % 100:
            case 17:
                quantity = "-1"
            case 64:
                country = "XX"
        lines.append(f"O-{number:04},{sku},{quantity},{GOODS[sku] / 100:.2f},{country}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (HERE / "access.log").write_text(access_log(), encoding="utf-8")
    (HERE / "orders.csv").write_text(order_book(), encoding="utf-8")
