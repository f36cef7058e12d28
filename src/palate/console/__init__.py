"""The window: a demo storefront that lives on the public API."""
