"""A web server with files, as one that is asked for `https://…/file.gguf`: redirects, names in headers, digests."""

from pathlib import Path

from tests.hubs.server import Answer, Content, LocalServer, Request, Storage, sha256_of


class PlainServer(LocalServer):
    """Files under their paths. `away` serves them from `storage`, another server."""

    def __init__(self) -> None:
        super().__init__()
        self.storage = Storage(self.faults)
        self._answers: dict[str, Answer] = {}

    def file(self, path: str, data: bytes | Path, *, etag: bool = True, **headers: str) -> str:
        """Serve a file and return its URL; underscores in the names of headers stand for hyphens."""
        read = data.read_bytes() if isinstance(data, Path) else data
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = Content(data, f'"{sha256_of(read)[:32]}"' if etag else "")
        self._answers[f"/{path}"] = Answer(headers=named, content=content)
        return f"{self.url}/{path}"

    def sidecar(self, path: str, data: bytes) -> str:
        """Serve `path.sha256` as `sha256sum` writes it."""
        return self.file(f"{path}.sha256", f"{sha256_of(data)}  {path.rpartition('/')[2]}\n".encode())

    def redirect(self, path: str, target: str, status: int = 302) -> str:
        """Send those who ask for `path` to another URL, and return the one to ask for."""
        self._answers[f"/{path}"] = Answer(status, {"Location": target})
        return f"{self.url}/{path}"

    def away(self, path: str, data: bytes, status: int = 302) -> str:
        """Serve a file from the storage, by a redirect with a signature."""
        return self.redirect(path, self.storage.keep(path, Content(data, f'"{sha256_of(data)[:32]}"')), status)

    def close(self) -> None:
        self.storage.close()
        super().close()

    def answer(self, request: Request) -> Answer:
        return self._answers.get(request.path, Answer(404, body=b"not found"))
