"""What a person is told when a rebuild or a download has ended, whatever the screen."""

from __future__ import annotations

import pytest

from tests.tui.learning_doubles import ScriptedRebuild
from tests.tui.samples import profile, with_conversations
from tui.download_job import DownloadJob
from tui.endings import Ending, download_ending, rebuild_ending
from tui.rebuild_job import RebuildJob


def rebuild_job(rebuild: ScriptedRebuild) -> RebuildJob:
    return RebuildJob(rebuild, clock=lambda: 0.0, changed=lambda: None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "version", "expected"),
    [
        ("", 3, Ending("Your preferences are rebuilt: version 3.", "Rebuild done")),
        ("no \x1b[31mmemory", None, Ending("no ␛[31mmemory", "Rebuild failed", "error")),
    ],
)
async def test_the_end_of_a_rebuild_is_told(error, version, expected):
    rebuild = ScriptedRebuild()
    rebuild.error, rebuild.result = error, version and profile(version, gain=0.1)
    rebuild.go.set()
    job = rebuild_job(rebuild)
    await job.run()
    assert rebuild_ending(job) == expected


async def test_a_cancelled_rebuild_says_that_nothing_scored_is_lost():
    rebuild = ScriptedRebuild()
    rebuild.script = []
    job = rebuild_job(rebuild)
    job.cancelled, job.trouble = True, "cancelled"
    assert rebuild_ending(job) == Ending("Rebuild cancelled; what was scored is kept.")


def test_the_end_of_a_download_is_told_with_the_key_that_uses_it(tmp_path):
    job = DownloadJob(with_conversations().models, lambda: None)  # type: ignore[arg-type]
    assert download_ending(job, "f4") is None, "a pause is no end"
    job.path = tmp_path / "larger.gguf"
    assert download_ending(job, "f9") == Ending("larger.gguf is here; f9 lets it answer.", "Downloaded")
    job.trouble = "the disk is full"
    assert download_ending(job, "f4") == Ending("the disk is full", "Download failed", "error")
