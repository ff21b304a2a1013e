"""How far a download is: bar, speed, time left, and the keys that stop it."""

from __future__ import annotations

from collections.abc import Mapping

from textual.content import Content
from textual.widgets import Static

from assistant.models.hub.download import Downloading
from assistant.visible import one_line
from tui.download_job import DownloadJob
from tui.figures import bar, duration, size
from tui.hints import keys_of
from tui.text import literal

BAR_WIDTH = 20
NAME_WIDTH = 60


class DownloadLine(Static):
    """Empty where nothing was downloaded since the program began."""

    def show_job(self, job: DownloadJob) -> None:
        """Draw it anew."""
        words = job_words(job, keys_of(self))
        self.display = bool(words)
        self.update(words or "")


def job_words(job: DownloadJob, keys: Mapping[str, str]) -> Content | None:
    """What there is to say, with what the keys are called; None where there is nothing."""
    name = one_line(job.progress.name if job.progress else job.wanted, NAME_WIDTH)
    if job.running:
        return _running(name, job.progress, keys)
    if job.trouble:
        return literal(f"✗ {job.trouble}", "$text-error")
    if job.path is not None:
        return literal(
            f"✓ {one_line(job.path.name, NAME_WIDTH)} is here: {keys['models.use_downloaded']} lets it answer.",
            "$text-success",
        )
    if job.paused:
        return literal(
            f"■ {name}: paused; {keys['models.pause']} goes on, {keys['models.cancel']} deletes what came.",
            "$text-warning",
        )
    return None


def _running(name: str, progress: Downloading | None, keys: Mapping[str, str]) -> Content:
    if progress is None:
        return literal(f"⇣ {name}: asking the hub… · {keys['models.cancel']} cancels", "$text-warning")
    how = f"{size(progress.speed)}/s"
    if progress.verifying:
        how = "verifying the checksum"
    elif progress.waiting:
        how = "waiting for the hub; it goes on by itself"
    elif progress.seconds_left is not None:
        how = f"{how} · {duration(progress.seconds_left)} left"
    drawn = bar(progress.done, progress.size, BAR_WIDTH)
    share = progress.done / progress.size if progress.size else 0.0
    figures = f"{share:.0%} · {size(progress.done)} of {size(progress.size)} · {how}"
    return Content.assemble(
        (f"⇣ {name}\n", "bold"),
        (drawn, "$text-accent"),
        f" {figures}\n",
        (f"{keys['models.pause']} pauses · {keys['models.cancel']} cancels", "dim"),
    )
