"""The window: a demo storefront that lives on the public API, and (later) the operators' console."""
