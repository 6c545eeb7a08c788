"""A Hugging Face Hub on this machine: what `huggingface_hub` asks a hub for when it looks up and fetches models.

Sources: huggingface_hub, `HfApi.model_info`, `HfApi.list_repo_tree`, `get_hf_file_metadata` and `hf_raise_for_status`;
Git, "gitformat-pack" for the digest of a blob; Git LFS, the specification of pointer files.
"""

import fnmatch
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from tests.hubs.server import Answer, Content, LocalServer, Request, Storage, json_answer, sha256_of

_LFS_PATTERNS = ("*.gguf", "*.safetensors", "*.onnx", "*.onnx_data", "*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5")
_RESOLVE = re.compile(r"/(?P<repo>[^/]+/[^/]+|[^/]+)/resolve/(?P<revision>refs/pr/\d+|[^/]+)/(?P<path>.+)")
_CACHED = re.compile(r"/api/resolve-cache/models/(?P<repo>[^/]+/[^/]+)/(?P<revision>[0-9a-f]{40})/(?P<path>.+)")
_API = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)(?:/(?P<what>revision|tree|auth-check|refs)(?:/(?P<rest>.+))?)?")


def git_blob_sha1(data: bytes) -> str:
    """Return the digest that Git gives a file."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class HubFile:
    """A file of a repository, small ones in Git itself, large ones as a pointer to the storage."""

    content: Content
    sha256: str
    is_lfs: bool
    blob_id: str
    pointer_size: int

    @classmethod
    def make(cls, data: bytes | Path, is_lfs: bool) -> "HubFile":
        read = data.read_bytes() if isinstance(data, Path) else data
        sha256 = sha256_of(read)
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {len(read)}\n".encode()
        blob_id = git_blob_sha1(pointer if is_lfs else read)
        return cls(Content(data, f'"{sha256 if is_lfs else blob_id}"'), sha256, is_lfs, blob_id, len(pointer))


@dataclass
class Repository:
    """A model's repository. Every change of its files is a commit on `main`; older ones can still be asked for."""

    name: str
    card: dict[str, Any] = field(default_factory=dict)
    is_private: bool = False
    gated: Literal["auto", "manual", False] = False
    commits: dict[str, dict[str, HubFile]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._commit({})

    def file(self, path: str, data: bytes | str | Path, *, lfs: bool | None = None) -> "Repository":
        """Put a file there, or another in its place. What belongs in LFS is told by the name, as on the real hub."""
        taken = data.encode() if isinstance(data, str) else data
        is_lfs = any(fnmatch.fnmatch(path, pattern) for pattern in _LFS_PATTERNS) if lfs is None else lfs
        self._commit({**self.files, path: HubFile.make(taken, is_lfs)})
        return self

    def tag(self, name: str) -> "Repository":
        """Give the newest commit a name that stays."""
        self.refs[name] = self.head
        return self

    @property
    def head(self) -> str:
        return self.refs["main"]

    @property
    def files(self) -> dict[str, HubFile]:
        return self.commits.get(self.refs.get("main", ""), {})

    def commit_of(self, revision: str) -> str | None:
        return self.refs.get(revision) or (revision if revision in self.commits else None)

    def _commit(self, files: dict[str, HubFile]) -> None:
        listing = repr([self.name, len(self.commits), sorted((path, file.blob_id) for path, file in files.items())])
        sha = hashlib.sha1(listing.encode(), usedforsecurity=False).hexdigest()
        self.commits[sha] = files
        self.refs["main"] = sha


class HuggingFaceHub(LocalServer):
    """The hub; large files come from `storage`, another server. `tokens` may read what is private or gated."""

    def __init__(self, *, page_entries: int = 1000) -> None:
        super().__init__()
        self.storage = Storage(self.faults)
        self.tokens = {"hf_reader"}
        self.strangers = {"hf_stranger"}
        self.renamed: dict[str, str] = {}
        self._page_entries = page_entries
        self._repositories: dict[str, Repository] = {}

    def repository(
        self,
        name: str,
        *,
        licence: str | None = "apache-2.0",
        private: bool = False,
        gated: Literal["auto", "manual", False] = False,
        card: dict[str, Any] | None = None,
    ) -> Repository:
        """Make a repository; add files to what this returns."""
        described = {**({"license": licence} if licence else {}), **(card or {})}
        self._repositories[name] = Repository(name, described, private, gated)
        return self._repositories[name]

    def close(self) -> None:
        self.storage.close()
        super().close()

    def answer(self, request: Request) -> Answer:
        routes: list[tuple[re.Pattern[str], Callable[[Request, Repository, dict[str, str | None]], Answer]]] = [
            (_CACHED, self._file_of_git),
            (_API, self._api),
            (_RESOLVE, self._resolve),
        ]
        if request.token is not None and request.token not in self.tokens | self.strangers:
            return _error(401, None, "Invalid credentials in Authorization header")
        if request.path == "/api/models":
            return self._search(request)
        for pattern, handle in routes:
            match = pattern.fullmatch(request.path)
            if match is not None:
                return self._of_repository(request, match.groupdict(), handle)
        return _error(404, None, "Sorry, we can't find the page you are looking for.")

    def _search(self, request: Request) -> Answer:
        wanted, limit = request.query.get("search", "").lower(), int(request.query.get("limit", "1000"))
        open_ones = [each for each in self._repositories.values() if not each.is_private]
        found = [each for each in open_ones if wanted in each.name.lower()][:limit]
        return json_answer([_info(each, each.head, with_blobs=False) for each in found])

    def _of_repository(
        self,
        request: Request,
        parts: dict[str, str | None],
        handle: Callable[[Request, Repository, dict[str, str | None]], Answer],
    ) -> Answer:
        name = parts["repo"] or ""
        if name in self.renamed:
            moved = request.path.replace(name, self.renamed[name], 1)
            return Answer(307, {"Location": quote(moved)})
        repository = self._repositories.get(name)
        if repository is None or (repository.is_private and request.token not in self.tokens):
            # Whether it exists is nobody's business who may not read it
            return (
                _error(401, "RepoNotFound", "Invalid username or password.")
                if request.token is None
                else _error(404, "RepoNotFound", "Repository not found")
            )
        return handle(request, repository, parts)

    def _api(self, request: Request, repository: Repository, parts: dict[str, str | None]) -> Answer:
        rest = parts["rest"] or "main"
        if parts["what"] == "auth-check":
            return self._barred(request, repository) or Answer(200, body=b"OK")
        if parts["what"] == "refs":
            branches = [
                {"name": name, "ref": f"refs/heads/{name}", "targetCommit": sha}
                for name, sha in repository.refs.items()
            ]
            return json_answer({"branches": branches, "tags": [], "converts": []})
        revision, _, folder = rest.partition("/") if not rest.startswith("refs/") else (rest, "", "")
        commit = repository.commit_of(revision)
        if commit is None:
            return _error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        if parts["what"] == "tree":
            return self._tree(request, repository, commit, folder)
        return json_answer(_info(repository, commit, with_blobs=request.query.get("blobs") in ("true", "True")))

    def _tree(self, request: Request, repository: Repository, commit: str, folder: str) -> Answer:
        files = repository.commits[commit]
        prefix = f"{folder}/" if folder else ""
        is_deep = request.query.get("recursive", "").lower() == "true"
        entries: dict[str, dict[str, Any]] = {}
        for path, file in files.items():
            if not path.startswith(prefix):
                continue
            steps = path.removeprefix(prefix).split("/")
            for depth in range(1, len(steps) if is_deep else min(2, len(steps))):
                within = prefix + "/".join(steps[:depth])
                entries[within] = {
                    "type": "directory",
                    "oid": git_blob_sha1(within.encode()),
                    "size": 0,
                    "path": within,
                }
            if is_deep or len(steps) == 1:
                entries[path] = _tree_entry(path, file)
        listed = [entries[path] for path in sorted(entries)]
        start = int(request.query.get("cursor", "0"))
        page, following = listed[start : start + self._page_entries], start + self._page_entries
        if following >= len(listed):
            return json_answer(page)
        link = f"{self.url}{quote(request.path)}?recursive={is_deep}&cursor={following}"
        return json_answer(page, Link=f'<{link}>; rel="next"')

    def _resolve(self, request: Request, repository: Repository, parts: dict[str, str | None]) -> Answer:
        path, revision = parts["path"] or "", parts["revision"] or ""
        barred = self._barred(request, repository)
        if barred is not None:
            return barred
        commit = repository.commit_of(revision)
        if commit is None:
            return _error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        file = repository.commits[commit].get(path)
        if file is None:
            return _error(404, "EntryNotFound", "Entry not found", **{"X-Repo-Commit": commit})
        linked = {
            "X-Repo-Commit": commit,
            "X-Linked-Size": str(file.content.size_bytes),
            "X-Linked-Etag": file.content.etag,
            "Accept-Ranges": "bytes",
            "Access-Control-Expose-Headers": "X-Repo-Commit,X-Linked-Size,X-Linked-ETag,ETag,Content-Range",
        }
        if file.is_lfs:
            key = f"repos/{sha256_of(repository.name.encode())[:8]}/{file.sha256}"
            return Answer(302, {**linked, "Location": self.storage.keep(key, file.content)})
        cached = f"/api/resolve-cache/models/{repository.name}/{commit}/{path}"
        return Answer(307, {**linked, "Location": f"{quote(cached)}?etag={quote(file.content.etag)}"})

    def _file_of_git(self, request: Request, repository: Repository, parts: dict[str, str | None]) -> Answer:
        file = repository.commits.get(parts["revision"] or "", {}).get(parts["path"] or "")
        if file is None:
            return _error(404, "EntryNotFound", "Entry not found")
        barred = self._barred(request, repository)
        return barred or Answer(headers={"X-Repo-Commit": parts["revision"] or ""}, content=file.content)

    def _barred(self, request: Request, repository: Repository) -> Answer | None:
        """Return why the files of a gated repository are kept from the caller: its description is open to all."""
        if not repository.gated or request.token in self.tokens:
            return None
        begins = f"Access to model {repository.name} is restricted"
        if request.token is None:
            return _error(401, "GatedRepo", f"{begins}. You must have access to it and be authenticated to access it.")
        return _error(403, "GatedRepo", f"{begins} and you are not in the authorized list.")


def _info(repository: Repository, commit: str, *, with_blobs: bool) -> dict[str, Any]:
    licence = repository.card.get("license")
    return {
        "_id": "6" * 24,
        "id": repository.name,
        "modelId": repository.name,
        "author": repository.name.partition("/")[0],
        "sha": commit,
        "lastModified": "2026-01-02T03:04:05.000Z",
        "createdAt": "2025-01-02T03:04:05.000Z",
        "private": repository.is_private,
        "gated": repository.gated,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": ["gguf", *([f"license:{licence}"] if licence else [])],
        "cardData": repository.card,
        "siblings": [_sibling(path, file, with_blobs) for path, file in repository.commits[commit].items()],
        "spaces": [],
    }


def _sibling(path: str, file: HubFile, with_blobs: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {"rfilename": path}
    if with_blobs:
        entry |= {"size": file.content.size_bytes, "blobId": file.blob_id}
        if file.is_lfs:
            size = file.content.size_bytes
            entry["lfs"] = {"sha256": file.sha256, "size": size, "pointerSize": file.pointer_size}
    return entry


def _tree_entry(path: str, file: HubFile) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "oid": file.blob_id, "size": file.content.size_bytes, "path": path}
    if file.is_lfs:
        entry["lfs"] = {"oid": file.sha256, "size": file.content.size_bytes, "pointerSize": file.pointer_size}
    return entry


def _error(status: int, code: str | None, message: str, **headers: str) -> Answer:
    named = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {}), **headers}
    body = json_answer({"error": message})
    return Answer(status, {**body.headers, **named}, body.body)
