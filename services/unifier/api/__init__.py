"""The conversation API: what desks build on. `app.create_app` makes it; it opens no store and no socket."""
