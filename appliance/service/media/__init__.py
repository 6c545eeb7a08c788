"""Media of requests before they wait: fetched where they only have an address, and checked before any decoder."""
