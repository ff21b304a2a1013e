"""Conversing: replies planned, streamed into storage, titled, held beside another model's."""
