"""`assistant evaluate --preferences`: does a profile make answers likelier that respect what somebody once said?"""

from __future__ import annotations

import json
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assistant.commands.context import Globals, opened, run
from assistant.commands.evaluation_options import results_beside
from assistant.commands.evaluation_output import end_progress, say_left_out, show_progress, too_long
from assistant.errors import AssistantError

if TYPE_CHECKING:
    from assistant.app import Assistant
    from assistant.evaluation.results import Results
    from steering.evaluation.following.people import Follower, Preference
    from steering.evaluation.lines import LeftOutLine


def evaluate_preferences(
    chosen: Globals, data: Path, users: int | None, model: str | None, json_path: Path | None, seed: int
) -> None:
    """Measure the people that are dealt out of DATA; a table on stdout, what is left out on stderr.

    Raises: AssistantError: nobody can be made of the file or measured, the outcome cannot be written.
    """
    from steering.evaluation.following.names import EACH
    from steering.evaluation.following.people import deal, read_preferences

    lines, left_out = read_preferences(data.read_bytes())
    for line in left_out:
        say_left_out(line)
    people = deal(list(lines.values()), EACH, seed, users)
    if not people:
        topics = len({preference.topic for preference in lines.values()})
        raise AssistantError(f"{data}: a person has preferences of {EACH} topics; it has {topics} that can be used")

    async def work() -> None:
        async with opened(chosen, model) as assistant:
            await _measured(assistant, people, lines, left_out, json_path, seed)

    run(work())


async def _measured(
    assistant: Assistant,
    people: list[Follower],
    lines: dict[int, Preference],
    left_out: list[LeftOutLine],
    json_path: Path | None,
    seed: int,
) -> None:
    from assistant.conversation.sampling import sampling_in_use
    from assistant.evaluation.following.report import following_outcome
    from assistant.evaluation.following.runner import follow, following_run, measured_followers
    from assistant.evaluation.results import Results
    from assistant.visible import sanitise
    from steering.evaluation.following.table import following_markdown

    fingerprint = assistant.model.fingerprint()
    sampling = sampling_in_use(assistant.settings, assistant.model).as_sampling()
    kept = results_beside(json_path) if json_path else assistant.paths.evaluations
    results = Results(kept, following_run(fingerprint, sampling, seed))
    events = follow(assistant.paths, assistant.model, assistant.settings, people, seed, results)
    async with aclosing(events):
        async for event in events:
            show_progress(event)
    end_progress()
    unread = _too_long(people, lines, results)
    for line in unread:
        say_left_out(line)
    measured = measured_followers(people, results)
    if not measured:
        raise AssistantError("nobody could be measured; see the lines above")
    found = following_outcome(
        measured,
        results,
        [*left_out, *unread],
        model=assistant.model.path().name,
        fingerprint=fingerprint,
        seed=seed,
    )
    click.echo(sanitise(following_markdown(found)))
    try:
        if json_path:
            json_path.write_text(json.dumps(found, ensure_ascii=False, indent=1), encoding="utf-8")
    except OSError as error:
        raise AssistantError(f"the outcome cannot be written ({error})") from error


def _too_long(people: list[Follower], lines: dict[int, Preference], results: Results) -> list[LeftOutLine]:
    from steering.evaluation.following.people import follower_key

    keys = {follower_key(person) for person in people}
    places = {preference.id: line for line, preference in lines.items()}
    found = [row for row in results.too_long.values() if row.key in keys]
    return [too_long(places[row.item_id], row.tokens, row.context) for row in found]
