"""Self-contained HTML pages: no server, no network, pictures inside the file."""

from wristseg.pages.page import image_uri, png_uri, render_page, side_by_side

__all__ = ["image_uri", "png_uri", "render_page", "side_by_side"]
