"""How error pages look: light and dark, as wide as the window, and with nothing from elsewhere."""

from __future__ import annotations

import html

_STYLE = """:root{--page:#f7f7f4;--card:#fff;--line:#e2e2dc;--text:#191c1a;--soft:#5b625d;
--accent:#0f6b50;--bad:#b3261e;--mark:#fbe3df}
@media(prefers-color-scheme:dark){:root{--page:#101312;--card:#171b19;--line:#2a302d;
--text:#e8ece9;--soft:#9faaa4;--accent:#63d3a9;--bad:#ff9a90;--mark:#45211d}}
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--text);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;
-webkit-text-size-adjust:100%}main{max-width:40rem;margin:0 auto;padding:12vh 1.25rem 3rem}
main.wide{max-width:66rem;padding-top:2.5rem}h1{margin:0 0 .6rem;font-size:1.75rem;
line-height:1.2;letter-spacing:-.02em;overflow-wrap:anywhere}h2{margin:2rem 0 .6rem;
font-size:1.05rem}p,ul{margin:.6rem 0;overflow-wrap:anywhere}small,.soft{color:var(--soft);
font-size:.85rem;overflow-wrap:anywhere}a{color:var(--accent)}code,pre,td,
th{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;
font-size:.82rem}
"""
_DEBUG_STYLE = """h1{color:var(--bad)}
pre{margin:0;padding:.7rem 0;overflow:auto;line-height:1.55}pre span,
mark{display:block;padding:0 .9rem;min-width:max-content}mark{background:var(--mark);
color:inherit}section,details{margin:.9rem 0;background:var(--card);
border:1px solid var(--line);border-radius:.6rem;overflow:hidden}section>p,summary{margin:0;
padding:.6rem .9rem;color:var(--soft);font-size:.85rem;overflow-wrap:anywhere}
section>p b{color:var(--text)}summary{cursor:pointer}section>pre,
section>details{border-top:1px solid var(--line)}section>details{margin:0;
border-width:1px 0 0;border-radius:0}.own>pre{display:none}.table{overflow:auto;
padding:.3rem .9rem .7rem}table{border-collapse:collapse;width:100%}td,
th{padding:.25rem 1rem .25rem 0;text-align:left;vertical-align:top;
border-top:1px solid var(--line);font-weight:400;overflow-wrap:anywhere}
th{color:var(--soft);width:11rem}tr:first-child>*{border-top:0}
:focus-visible{outline:2px solid var(--accent);outline-offset:-2px}
@media(max-width:36rem){th{width:auto}main.wide{padding-top:1.5rem}td,th{display:block;padding-right:0}
td{border-top:0;padding-top:0}}
"""


def page(title: str, body: str, debug: bool = False) -> bytes:
    """A page.

    Args:
        title: as text.
        body: as HTML.
        debug: it is one of development, with code and tables.
    """
    style, kind = (_STYLE + _DEBUG_STYLE, ' class="wide"') if debug else (_STYLE, "")
    text = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{html.escape(title)}</title>\n<style>{style}</style></head>\n"
        f"<body><main{kind}>{body}</main></body></html>\n"
    )
    # A lone surrogate out of the request's text; UTF-8 has none.
    return text.encode("utf-8", "replace")


def table(rows: list[tuple[str, str]]) -> str:
    """Names and values, as HTML."""
    lines = "".join(
        f'<tr><th scope="row">{html.escape(name)}</th><td>{html.escape(value)}</td></tr>'
        for name, value in rows
    )
    return f'<div class="table" tabindex="0"><table>{lines}</table></div>'
