"""`assistant evaluate`: does steering help people whose texts are in a file?"""

from __future__ import annotations

import os
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assistant.commands.context import Globals, opened, pass_globals, run
from assistant.commands.evaluate_preferences import evaluate_preferences
from assistant.commands.evaluation_options import refuse_ignored, refuse_overwriting, results_beside
from assistant.commands.evaluation_output import end_progress, say_left_out, show_progress, too_long
from assistant.errors import AssistantError

if TYPE_CHECKING:
    from assistant.app import Assistant
    from assistant.evaluation.results import Results
    from assistant.evaluation.runner import Measures
    from steering.evaluation.lines import LeftOutLine
    from steering.evaluation.names import Extent
    from steering.evaluation.people import Person
    from steering.evaluation.reading import Text

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
QUICK_PEOPLE = 3


@dataclass(frozen=True, slots=True)
class _Data:
    """The people that were drawn, and what was left out."""

    people: list[Person]
    texts: list[Text]
    left_out: list[LeftOutLine]


@click.command()
@click.argument("data", type=FILE)
@click.option("--users", type=click.IntRange(1), help="People to draw; all without it.")
@click.option("--model", help="GGUF file, or the name of one in the models folder.")
@click.option("--methods", multiple=True, help="Methods, with commas or given again; all without it.")
@click.option("--json", "json_path", type=click.Path(dir_okay=False, path_type=Path), help="Write the outcome there.")
@click.option("--plot", type=click.Path(path_type=Path), help="Write PLOT.png and PLOT.svg; beside --json without it.")
@click.option("--damage", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Folder of test sets.")
@click.option("--replies", type=click.IntRange(0), default=4, show_default=True, help="Test requests to answer.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draw of people and of random vectors.")
@click.option("--gain-only", is_flag=True, help="In one set of blocks, at one KL; neither harm nor replies.")
@click.option(
    "--quick", is_flag=True, help="Three people, two methods, rough figures; fails where SteerX gains nothing."
)
@click.option("--preferences", is_flag=True, help="DATA holds stated preferences: are answers ranked right by them?")
@pass_globals
def evaluate(
    chosen: Globals,
    data: Path,
    users: int | None,
    model: str | None,
    methods: tuple[str, ...],
    json_path: Path | None,
    plot: Path | None,
    damage: Path | None,
    replies: int,
    seed: int,
    gain_only: bool,
    quick: bool,
    preferences: bool,
) -> None:
    """Hold steering methods against each other on the people in DATA.

    DATA has lines of {"user_id", "split": "history" or "test", "order", "prompt", "text"}. What a method knows of a
    person comes from the history; the gain is measured on the test texts. What is measured is kept (beside the --json
    file, else in the cache): an interrupted run goes on where it ended, more people or methods cost only themselves.
    Progress and what is left out go to stderr, a Markdown table to stdout.

    With --preferences DATA has lines of {"item_id", "topic", "preference", "question", "options", "correct_index"}
    (PrefEval), of which people are made: with a profile, is the option that respects what was said the likelier one?
    """
    refuse_overwriting(data, json_path)
    if preferences:
        refuse_ignored("preferences", ("methods", "plot", "damage", "replies", "gain_only", "quick"))
        evaluate_preferences(chosen, data, users, model, json_path, seed)
        return
    if quick:
        refuse_ignored("quick", ("damage", "replies", "gain_only"))
    if gain_only:
        refuse_ignored("gain_only", ("damage", "replies"))
    extent: Extent = "quick" if quick else "gain" if gain_only else "full"
    measures = _measures(methods, damage, seed, replies, extent)
    read = _read(data, (users or QUICK_PEOPLE) if quick else users, seed)

    async def work() -> None:
        async with opened(chosen, model) as assistant:
            await _evaluated(assistant, read, measures, json_path, plot or (json_path and json_path.with_suffix("")))

    run(work())


def _measures(methods: tuple[str, ...], damage: Path | None, seed: int, replies: int, extent: Extent) -> Measures:
    from assistant.evaluation.damage import read_damage
    from assistant.evaluation.runner import Measures
    from steering.evaluation.extras import MissingLibraryError, check_libraries
    from steering.evaluation.names import DEFAULT, QUICK, STEERX, ordered

    try:
        check_libraries()
        named = [name.strip() for given in methods for name in given.split(",") if name.strip()]
        names = ordered(named or (QUICK if extent == "quick" else DEFAULT))
    except MissingLibraryError as error:
        raise AssistantError(str(error)) from error
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--methods") from error
    if extent == "quick" and not any(name.startswith(STEERX) for name in names):
        raise click.UsageError(f"--quick looks whether SteerX gains: name a method of {STEERX}, or no --methods")
    if extent != "full":
        return Measures(names, seed, 0, extent)
    texts, questions, left_out = read_damage(damage) if damage else ((), (), ())
    for file, line in left_out:
        say_left_out(line, file)
    return Measures(names, seed, replies, extent, texts, questions)


def _read(data: Path, users: int | None, seed: int) -> _Data:
    """The people that can be measured, drawn, and every line that cannot be used said on stderr.

    Raises: AssistantError: there is nobody to measure.
    """
    from steering.evaluation.people import draw
    from steering.evaluation.reading import people_of, read_texts

    texts, left_out = read_texts(data.read_bytes())
    people, without = people_of(texts)
    left_out = sorted([*left_out, *without], key=lambda line: line.line)
    for line in left_out:
        say_left_out(line)
    if not people:
        raise AssistantError(f"{data}: nobody in it has both a history and a test; see the lines above")
    return _Data(draw(people, users or len(people), seed), texts, left_out)


async def _evaluated(
    assistant: Assistant, data: _Data, measures: Measures, json_path: Path | None, stem: Path | None
) -> None:
    import json

    from assistant.conversation.sampling import sampling_in_use
    from assistant.evaluation.report import outcome
    from assistant.evaluation.results import Results
    from assistant.evaluation.runner import Evaluation, as_read, rows_of
    from assistant.scratch import scratch_folder
    from assistant.visible import sanitise
    from steering.evaluation.plot import draw
    from steering.evaluation.reading import person_key
    from steering.evaluation.table import markdown

    fingerprint = assistant.model.fingerprint()
    sampling = sampling_in_use(assistant.settings, assistant.model).as_sampling()
    kept = results_beside(json_path) if json_path else assistant.paths.evaluations
    results = Results(kept, measures.run(fingerprint, sampling))
    evaluation = Evaluation(assistant.paths, assistant.model, assistant.settings)
    async with aclosing(evaluation.run(data.people, measures, results)) as events:
        async for event in events:
            show_progress(event)
    end_progress()
    unread = _too_long(data, results)
    for line in unread:
        say_left_out(line)
    rows = rows_of(data.people, measures.methods, results)
    people = [person for person in data.people if person.user_id in rows]
    if not people:
        raise AssistantError("nobody could be measured; see the lines above")
    found = outcome(
        rows,
        [as_read(person, results) for person in people],
        [*data.left_out, *unread],
        [results.effects[key] for person in people if (key := person_key(person)) in results.effects],
        results.learner,
        model=assistant.model.path().name,
        fingerprint=fingerprint,
        seed=measures.seed,
    )
    click.echo(sanitise(markdown(found)))
    try:
        if json_path:
            json_path.write_text(json.dumps(found, ensure_ascii=False, indent=1), encoding="utf-8")
        if stem:
            # What matplotlib keeps of the machine's fonts goes with the program.
            os.environ.setdefault("MPLCONFIGDIR", str(scratch_folder(assistant.paths.cache)))
            # It brings the font that it draws with; asked for the machine's, `fc-list` may write to a cache of its own.
            os.environ["MPL_IGNORE_SYSTEM_FONTS"] = "1"
            for file in draw(found, stem):
                click.echo(f"wrote {sanitise(str(file))}", err=True)
    except OSError as error:
        raise AssistantError(f"the outcome cannot be written ({error})") from error
    if measures.extent == "quick":
        check_gain(found["methods"])


def _too_long(data: _Data, results: Results) -> list[LeftOutLine]:
    from steering.evaluation.reading import person_key

    known = {(person.user_id, person_key(person)) for person in data.people}
    lines = {(text.user_id, text.item.id): text.line for text in data.texts}
    return [
        too_long(lines[found.user_id, found.item_id], found.tokens, found.context)
        for found in results.too_long.values()
        if (found.user_id, found.key) in known
    ]


def check_gain(methods: dict[str, dict[str, float]]) -> None:
    """Fail a quick run.

    Raises: AssistantError: SteerX gains nothing.
    """
    from steering.evaluation.names import STEERX

    for name, method in methods.items():
        if name.startswith(STEERX) and not method["gain_mean"] > 0:
            raise AssistantError(f"{name} gains nothing: {method['gain_mean']:+.3f} nats/token")
