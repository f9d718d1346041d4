"""How a link looks elsewhere: the document's head, oEmbed, a picture, a QR code. All of it is what a guest may know."""

from parola.api.sharing.cards import Cards, language_of
from parola.api.sharing.head import with_card
from parola.api.sharing.routes import router

__all__ = ["Cards", "language_of", "router", "with_card"]
