# SPDX-License-Identifier: LGPL-2.1-or-later
"""Charts on a logarithmic scale, as SVG: readable on light and dark pages, and without colours."""
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


STYLE = ('<style>text{fill:#24292f}.ours{stroke:#0969da}.other{stroke:#8c959f;stroke-dasharray:4 2}.line{stroke:#d0d7de}'
         '.event{stroke:#d0d7de;stroke-dasharray:1 3}path{fill:none;stroke-width:1.6}'
         '@media(prefers-color-scheme:dark){text{fill:#e6edf3}.line,.event{stroke:#30363d}.ours{stroke:#58a6ff}}</style>')


def lines(title, note, curves, events, seconds):
    """Rates over time. `curves`: (what, [(second, rate)], is ours, the second beside which the words stand); `events`: (second,
    what)."""
    left, right, top, height = 70, 780, 70, 300
    rates = [rate for _, points, _, _ in curves for _, rate in points if rate > 0]
    low, high = math.floor(math.log10(min(rates))), math.ceil(math.log10(max(rates)))

    def x(second):
        return left + (right - left) * second / seconds

    def y(rate):
        return top + height * (high - math.log10(max(rate, 10 ** low))) / (high - low)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 {top + height + 70}" font-family="sans-serif" font-size="13">', STYLE,
           f'<text x="10" y="24" font-size="17" font-weight="bold">{title}</text>']
    for power in range(low, high + 1):
        out.append(f'<line class="line" x1="{left}" y1="{y(10 ** power):.0f}" x2="{right}" y2="{y(10 ** power):.0f}"/>')
        out.append(f'<text x="{left - 8}" y="{y(10 ** power) + 4:.0f}" font-size="11" text-anchor="end">{10.0 ** power:,.10g}</text>')
    for minute in range(0, seconds // 60 + 1, 10):
        out.append(f'<text x="{x(minute * 60):.0f}" y="{top + height + 18}" font-size="11" text-anchor="middle">{minute} min</text>')
    for second, what in events:
        out.append(f'<line class="event" x1="{x(second):.0f}" y1="{top - 8}" x2="{x(second):.0f}" y2="{top + height}"/>')
        out.append(f'<text x="{x(second) + 3:.0f}" y="{top - 12}" font-size="11">{what}</text>')
    for what, points, is_ours, at in curves:
        path = " ".join(f"{'L' if i else 'M'}{x(second):.1f} {y(rate):.1f}" for i, (second, rate) in enumerate(points))
        out.append(f'<path class="{"ours" if is_ours else "other"}" d="{path}"/>')
        beside = min(points, key=lambda point, second=at: abs(point[0] - second))[1]
        out.append(f'<text x="{x(at):.0f}" y="{y(beside) - 20:.0f}"{" font-weight=" + chr(34) + "bold" + chr(34) if is_ours else ""}>{what}</text>')
    out.append(f'<text x="10" y="{top + height + 52}" font-size="12">{note}</text>')
    return "\n".join(out) + "\n</svg>\n"
