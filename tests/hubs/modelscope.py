"""A ModelScope on this machine: what `modelscope_hub` asks a hub for when it lists and fetches a model.

Source: modelscope_hub, `LegacyClient` and `Downloader`: addresses, envelopes, the listing that ends without a word,
files of Git that come whole, large ones by a redirect to the storage.
"""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.hubs.server import Answer, Content, LocalServer, Request, Storage, json_answer, sha256_of

_ROUTE = re.compile(r"/api/v1/models/(?P<repo>[^/]+/[^/]+)(?P<what>/repo/files|/repo|/revisions|)")
_LARGE = (".gguf", ".safetensors", ".onnx", ".bin", ".onnx_data")


@dataclass
class ScopeRepository:
    """A model's files. `master` is the newest commit; tags stay at theirs."""

    name: str
    licence: str | None = None
    is_private: bool = False
    commits: dict[str, dict[str, Content]] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)

    def file(self, path: str, data: bytes | str | Path) -> "ScopeRepository":
        """Put a file there, or another in its place."""
        taken = data.encode() if isinstance(data, str) else data
        read = taken.read_bytes() if isinstance(taken, Path) else taken
        former = self.commits.get(self.refs.get("master", ""), {})
        seed = f"{self.name} {len(self.commits)} {path} {sha256_of(read)}"
        commit = hashlib.sha1(seed.encode(), usedforsecurity=False).hexdigest()
        self.commits[commit] = {**former, path: Content(taken, f'"{sha256_of(read)}"')}
        self.origins[path] = commit
        self.refs["master"] = commit
        return self

    def tag(self, name: str) -> "ScopeRepository":
        self.refs[name] = self.refs["master"]
        return self

    def files_at(self, revision: str) -> dict[str, Content] | None:
        return self.commits.get(self.refs.get(revision, revision))


class ModelScopeHub(LocalServer):
    """The hub; `tokens` may read what is private."""

    def __init__(self, *, max_listed: int = 3000) -> None:
        super().__init__()
        self.storage = Storage(self.faults)
        self.tokens = {"ms-reader"}
        self._max_listed = max_listed
        self._repositories: dict[str, ScopeRepository] = {}

    def repository(
        self, name: str, *, licence: str | None = "Apache License 2.0", private: bool = False
    ) -> ScopeRepository:
        """Make a repository; add files to what this returns."""
        self._repositories[name] = ScopeRepository(name, licence, private)
        return self._repositories[name]

    def close(self) -> None:
        self.storage.close()
        super().close()

    def answer(self, request: Request) -> Answer:
        match = _ROUTE.fullmatch(request.path)
        repository = self._repositories.get(match["repo"]) if match else None
        if match is None or repository is None:
            return _failed(404, 10010205001, "record not found")
        if repository.is_private and not {request.token, _session_of(request)} & self.tokens:
            return _failed(403, 10010101003, "no permission")
        if match["what"] == "/repo/files":
            return self._listing(request, repository)
        if match["what"] == "/repo":
            return self._file(request, repository)
        if match["what"] == "/revisions":
            branches = [{"Revision": "master", "CreatedAt": 0}]
            tags = [{"Revision": name, "CreatedAt": 0} for name in repository.refs if name != "master"]
            return _succeeded({"RevisionMap": {"Branches": branches, "Tags": tags}})
        owner, _, name = repository.name.partition("/")
        return _succeeded({"Path": owner, "Name": name, "License": repository.licence, "Revision": "master"})

    def _listing(self, request: Request, repository: ScopeRepository) -> Answer:
        revision, root = request.query.get("Revision", "master"), request.query.get("Root", "").strip("/")
        files = repository.files_at(revision)
        if files is None:
            # One that does not exist is no error for the real hub, either
            return _succeeded({"Files": None, "IsVisual": 0, "LatestCommitter": None})
        prefix = f"{root}/" if root else ""
        is_deep = request.query.get("Recursive", "").lower() == "true"
        entries: dict[str, dict[str, Any]] = {}
        for path, content in sorted(files.items()):
            if not path.startswith(prefix):
                continue
            steps = path.removeprefix(prefix).split("/")
            for depth in range(1, len(steps) if is_deep else min(2, len(steps))):
                folder = prefix + "/".join(steps[:depth])
                entries[folder] = {"Path": folder, "Name": folder.rpartition("/")[2], "Type": "tree", "Size": 0}
            if is_deep or len(steps) == 1:
                entries[path] = _entry(path, content, repository.origins[path])
        head = repository.refs.get(revision, revision)
        listed = list(entries.values())[: self._max_listed]
        return _succeeded({"Files": listed, "IsVisual": 0, "LatestCommitter": {"Id": "", "ShortId": head[:8]}})

    def _file(self, request: Request, repository: ScopeRepository) -> Answer:
        path = request.query.get("FilePath", "")
        files = repository.files_at(request.query.get("Revision", "master")) or {}
        content = files.get(path)
        if content is None:
            return _failed(404, 10990101007, "file not found")
        if path.endswith(_LARGE):
            key = "oss/" + content.etag.strip('"')
            return Answer(302, {"Location": self.storage.keep(key, content), "X-Linked-ETag": content.etag})
        # What lies in Git itself is not served in parts
        data = content.read(0, content.size_bytes)
        return Answer(headers={"Content-Type": "application/octet-stream", "X-Linked-ETag": content.etag}, body=data)


def _entry(path: str, content: Content, commit: str) -> dict[str, Any]:
    return {
        "Path": path,
        "Name": path.rpartition("/")[2],
        "Type": "blob",
        "Mode": "33188",
        "Size": content.size_bytes,
        "Sha256": content.etag.strip('"'),
        "Revision": commit,
        "IsLFS": path.endswith(_LARGE),
        "InCheck": False,
        "CommittedDate": 1_700_000_000,
        "CommitMessage": "a change",
        "CommitterName": "somebody",
    }


def _session_of(request: Request) -> str | None:
    cookies = dict(part.strip().partition("=")[::2] for part in request.headers.get("cookie", "").split(";"))
    return cookies.get("m_session_id")


def _succeeded(data: object) -> Answer:
    return json_answer({"Code": 200, "Data": data, "Message": "success", "RequestId": "test", "Success": True})


def _failed(status: int, code: int, message: str) -> Answer:
    return json_answer({"Code": code, "Data": None, "Message": message, "RequestId": "test", "Success": False}, status)
