//! Embeds every product image of a shop, night after night, and loses nothing.
