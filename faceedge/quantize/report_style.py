"""The style sheet of a calibration report, light and dark; its plots take their colours from the variables."""

STYLE = """
:root {
  --ink: #1b1f24; --muted: #57606a; --line: #d8dee4; --ground: #ffffff; --card: #f6f8fa;
  --before: #2f6690; --after: #b8560b; --good: #17703f; --bad: #b3261e; --odd: #8a5a00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e6e8ea; --muted: #a3abb3; --line: #363c43; --ground: #14171a; --card: #1d2125;
    --before: #7fb2d9; --after: #f0954a; --good: #5cc98b; --bad: #ff8a80; --odd: #e5b454;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 0 0 .5rem; }
section, figure { margin: 2.25rem 0 0; }
.muted, figcaption, .note { color: var(--muted); }
header .muted { margin: .25rem 0 0; }
.verdict {
  display: flex; gap: 1rem; padding: 1rem 1.25rem; margin-top: 1.25rem;
  border-radius: .5rem; background: var(--card); border-left: .35rem solid var(--tone);
}
.verdict p { margin: .25rem 0 0; }
.verdict h2 { margin: 0; color: var(--tone); font-size: 1.25rem; }
.verdict .mark { font-size: 1.6rem; line-height: 1.2; font-weight: 700; color: var(--tone); }
.passed { --tone: var(--good); } .failed { --tone: var(--bad); } .unusual { --tone: var(--odd); }
svg { display: block; width: 100%; height: auto; }
svg text { font-family: system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif !important; }
figcaption { font-size: .9rem; margin-top: .25rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .4rem .75rem .4rem 0; border-bottom: 1px solid var(--line); }
thead th { color: var(--muted); font-weight: 500; white-space: nowrap; }
tbody th { font-weight: 500; min-width: 11.5rem; }
td:not(:last-child) { white-space: nowrap; }
td:last-child { color: var(--muted); }
code { font: .85em ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; white-space: normal; }
.good, .bad, .open { font-weight: 600; }
.good { color: var(--good); } .good::before { content: "✓ "; }
.bad { color: var(--bad); } .bad::before { content: "✗ "; }
.open { color: var(--odd); } .open::before { content: "? "; }
ul { padding-left: 1.2rem; margin: 0; }
.pairs { display: flex; flex-wrap: wrap; gap: 1rem; }
.pair { margin: 0; width: 14rem; }
.pair div { display: flex; gap: .25rem; }
.pair img { width: 50%; border-radius: .25rem; }
@media print { main { max-width: none; } section, figure { break-inside: avoid; } }
"""
