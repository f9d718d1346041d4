"""What stands in the head of a document for those who only look at it from outside."""

from __future__ import annotations

from html import escape
from urllib.parse import quote

from parola.api.sharing.cards import Card
from parola.api.sharing.picture import HEIGHT, WIDTH


def with_card(document: str, card: Card, public_url: str) -> str:
    """The document with Open Graph's and Twitter's properties, and where oEmbed is answered."""
    return document.replace("</head>", f"{_head(card, public_url)}</head>", 1)


def _head(card: Card, public_url: str) -> str:
    properties = {
        "og:site_name": "Parola",
        "og:type": card.kind,
        "og:title": card.title,
        "og:description": card.text,
        "og:url": card.url,
        "og:image": card.picture,
        "og:image:type": "image/png",
        "og:image:width": str(WIDTH),
        "og:image:height": str(HEIGHT),
        "og:image:alt": card.title,
    }
    lines = [f'<meta property="{name}" content="{escape(value)}" />' for name, value in properties.items()]
    lines.append('<meta name="twitter:card" content="summary_large_image" />')
    lines.append(f'<link rel="canonical" href="{escape(card.url)}" />')
    embed = f"{public_url}/api/oembed?url={quote(card.url, safe='')}"
    lines.append(
        f'<link rel="alternate" type="application/json+oembed" href="{escape(embed)}" title="{escape(card.title)}" />'
    )
    return "".join(f"  {line}\n  " for line in lines)
