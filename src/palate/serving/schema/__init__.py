"""How the API describes itself: the documents it speaks, its OpenAPI form, its docs page."""
