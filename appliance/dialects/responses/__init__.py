"""OpenAI's Responses API: requests, items, tools and conversations inwards; responses and their events outwards."""
