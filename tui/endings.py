"""What is said when a rebuild or a download has ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from assistant.visible import sanitise

if TYPE_CHECKING:
    from tui.download_job import DownloadJob
    from tui.rebuild_job import RebuildJob


@dataclass(frozen=True, slots=True)
class Ending:
    """A notification."""

    text: str
    title: str = ""
    severity: Literal["information", "error"] = "information"


def rebuild_ending(job: RebuildJob) -> Ending | None:
    """Of the rebuild that ran last."""
    if job.cancelled:
        return Ending("Rebuild cancelled; what was scored is kept.")
    if job.trouble:
        return Ending(sanitise(job.trouble), "Rebuild failed", "error")
    if job.result is None:
        return None
    text = "Nothing has changed since" if job.result.unchanged else "Your preferences are rebuilt:"
    return Ending(f"{text} version {job.result.profile.version}.", "Rebuild done")


def download_ending(job: DownloadJob, key: str) -> Ending | None:
    """Of the download that ran last; `key` opens the models."""
    if job.trouble:
        return Ending(sanitise(job.trouble), "Download failed", "error")
    if job.path is None:
        return None
    return Ending(f"{sanitise(job.path.name)} is here; {key} lets it answer.", "Downloaded")
