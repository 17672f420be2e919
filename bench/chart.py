# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bar charts of times, on a logarithmic scale, as SVG: readable on light and dark pages, and without colours."""
import math

LEFT, WIDTH, ROW, TOP = 330, 370, 30, 64


def words(ns):
    for unit, size in (("ms", 1e6), ("µs", 1e3)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns:.3g} ns"


def bars(title, note, rows):
    """`rows`: (what, ns, is ours)."""
    low = 10 ** math.floor(math.log10(min(ns for _, ns, _ in rows)))
    high = 10 ** math.ceil(math.log10(max(ns for _, ns, _ in rows)))

    def place(ns):
        return LEFT + WIDTH * math.log10(ns / low) / math.log10(high / low)

    height = TOP + ROW * len(rows) + 40
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 {height}" font-family="sans-serif" font-size="14">',
             '<style>text{fill:#24292f}.bar{fill:#8c959f}.ours{fill:#0969da}.line{stroke:#d0d7de}'
             '@media(prefers-color-scheme:dark){text{fill:#e6edf3}.line{stroke:#30363d}.ours{fill:#58a6ff}}</style>',
             f'<text x="10" y="24" font-size="17" font-weight="bold">{title}</text>']
    tick = low
    while tick <= high:
        x = place(tick)
        lines.append(f'<line class="line" x1="{x:.0f}" y1="{TOP - 12}" x2="{x:.0f}" y2="{height - 40}"/>')
        lines.append(f'<text x="{x:.0f}" y="{TOP - 18}" font-size="11" text-anchor="middle">{words(tick)}</text>')
        tick *= 10
    for i, (what, ns, is_ours) in enumerate(rows):
        y = TOP + ROW * i
        weight = ' font-weight="bold"' if is_ours else ""
        lines.append(f'<text x="{LEFT - 10}" y="{y + 15}" text-anchor="end"{weight}>{what}</text>')
        lines.append(f'<rect class="{"ours" if is_ours else "bar"}" x="{LEFT}" y="{y}" width="{place(ns) - LEFT:.0f}" height="20" rx="2"/>')
        lines.append(f'<text x="{place(ns) + 8:.0f}" y="{y + 15}">{words(ns)}</text>')
    lines.append(f'<text x="10" y="{height - 12}" font-size="12">{note}</text>')
    return "\n".join(lines) + "\n</svg>\n"
