"""The settings: read once, in the command line; nothing else reads the environment."""

from .change import SettingsBook
from .load import LoadedSettings, load
from .tree import (
    CacheSettings,
    DownloadsSettings,
    EngineSettings,
    JobsSettings,
    KvSettings,
    LogSettings,
    MediaSettings,
    ModelsSettings,
    NormalizersSettings,
    NotifySettings,
    PowerSettings,
    ResponsesSettings,
    SchedulerSettings,
    ServerSettings,
    Settings,
    TasksSettings,
)
from .values import SettingsError

__all__ = [
    "CacheSettings",
    "DownloadsSettings",
    "EngineSettings",
    "JobsSettings",
    "KvSettings",
    "LoadedSettings",
    "LogSettings",
    "MediaSettings",
    "ModelsSettings",
    "NormalizersSettings",
    "NotifySettings",
    "PowerSettings",
    "ResponsesSettings",
    "SchedulerSettings",
    "ServerSettings",
    "Settings",
    "SettingsBook",
    "SettingsError",
    "TasksSettings",
    "load",
]
