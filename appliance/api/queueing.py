"""What a caller is told of its place in the queue: headers of the response, comments of a stream."""

from appliance.scheduler.queue_place import QueuePlace

from .sse import Headers, comment


def queue_headers(place: QueuePlace | None) -> Headers:
    """Return the headers that say where a request stood on arrival, 0 if it did not wait; no time that is unknown."""
    if place is None:
        return [(b"x-queue-position", b"0")]
    headers = [(b"x-queue-position", b"%d" % place.position)]
    if place.estimated_wait_s is not None:
        headers.append((b"x-estimated-wait-s", b"%.1f" % place.estimated_wait_s))
    return headers


def queue_comment(place: QueuePlace | None) -> bytes:
    """Return what a silent stream says: its place in the queue, or only that it is alive."""
    if place is None:
        return comment()
    if place.estimated_wait_s is None:
        return comment(f"queue position {place.position}")
    return comment(f"queue position {place.position}, about {max(1, round(place.estimated_wait_s))} s")
