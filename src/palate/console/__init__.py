"""The window: the demo storefront, server-rendered."""
