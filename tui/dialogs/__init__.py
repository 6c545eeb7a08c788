"""Questions that lie over a place until they are answered. Each gives its answer to whoever asked."""
