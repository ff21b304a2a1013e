"""What the slash commands do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from assistant.app import Assistant
from assistant.errors import AssistantError, NoProfileError
from assistant.records import Conversation
from assistant.visible import one_line, sanitise
from tui.hints import with_keys
from tui.prompting.completion import Completion, completions
from tui.prompting.slash import Ordered
from tui.screens.conversation_wishes import ConversationWishes
from tui.screens.conversing import ConversingScreen
from tui.screens.message_wishes import MessageWishes
from tui.widgets.conversations import ConversationList, Wish
from tui.widgets.import_modal import ImportModal
from tui.widgets.messages import MessageList
from tui.widgets.text_modal import TextModal

ON_MESSAGE = {"regenerate": "regenerate", "continue": "continue", "like": "up", "dislike": "down", "fork": "fork"}
ON_CONVERSATION: dict[str, Wish] = {"pin": "pin", "archive": "archive", "delete": "delete", "forget": "forget"}
ON_APP = {"settings": "settings", "help": "help", "quit": "quit"}
ON_SCREEN = {"new": "new_chat", "stop": "stop_reply"}
STRENGTHS = (("0.5", "half as strong"), ("1", "as calibrated"), ("1.5", "stronger"))
TOLD_WIDTH = 200
NO_PROFILE = "No profile is in use: {app.settings} › Rebuild learns one, {app.settings} › Versions puts one to use."


class ChatCommands:
    """Does what a slash command asks for."""

    def __init__(
        self,
        screen: ConversingScreen,
        assistant: Assistant,
        messages: MessageList,
        wishes: MessageWishes,
        conversation_wishes: ConversationWishes,
    ) -> None:
        self._screen, self._assistant, self._messages = screen, assistant, messages
        self._wishes, self._conversation_wishes = wishes, conversation_wishes
        self._models: list[tuple[str, str]] | None = None

    def complete(self, text: str) -> list[Completion]:
        """How a command that is being written can go on."""
        if not text.startswith("/model "):
            self._models = None
        return completions(
            text,
            {
                "model": self._model_names,
                "steer": lambda: [("on", "as last set"), ("off", "the model as it is"), *STRENGTHS],
                "system": lambda: [("off", "say nothing")],
                "copy": lambda: [("code", "only the code in it")],
            },
        )

    def _model_names(self) -> Sequence[tuple[str, str]]:
        if self._models is None:  # looked for once a command, as that reads every file's beginning
            try:
                found = self._assistant.models.list()
            except AssistantError:
                found = []  # the command itself says what is wrong
            self._models = [(sanitise(model.name), sanitise(model.source)) for model in found]
        return self._models

    async def obey(self, ordered: Ordered) -> None:
        """Do it. To be called in a worker, as some commands ask.

        Raises: AssistantError: it cannot be done; nothing is changed.
        """
        name, argument = ordered.command.name, ordered.argument
        if argument and not ordered.command.argument:
            raise AssistantError(f"/{name} takes nothing after it")
        if name in ON_MESSAGE:
            await self._on_last_reply(ON_MESSAGE[name])
        elif name in ON_CONVERSATION:
            await self._on_conversation(ON_CONVERSATION[name])
        elif name in ON_APP:
            await self._screen.app.run_action(f"app.{ON_APP[name]}")
        elif name in ON_SCREEN:
            await self._screen.run_action(f"screen.{ON_SCREEN[name]}")
        else:
            await getattr(self, f"_{name}")(argument)

    async def _model(self, name: str) -> None:
        if not name:
            await self._screen.app.run_action("app.models")
            return
        self._refuse_while_writing()
        model = await asyncio.to_thread(self._assistant.models.use, name)
        self._tell(f"{model.name} answers from now on.")
        self._screen.load_model()

    async def _system(self, text: str) -> None:
        now = self._assistant.settings.model.system_prompt
        if not text:
            modal = TextModal("What the model is told first", now, may_be_empty=True)
            written = await self._screen.app.push_screen_wait(modal)
            if written is None:
                return
            text = written.strip() or "off"
        self._assistant.change_setting("model", "system_prompt", None if text == "off" else text)
        self._tell("The model is told nothing first." if text == "off" else f"The model is told: {text}")

    async def _steer(self, how: str) -> None:
        try:
            self._set_steering(how)
        except NoProfileError:
            raise AssistantError(with_keys(self._screen, NO_PROFILE)) from None
        status = self._assistant.chat.steering()
        self._tell(f"Steered: {status.words}" if status.on else f"Not steered: {status.note}")
        self._screen.show_steering()

    def _set_steering(self, how: str) -> None:
        profiles = self._assistant.profiles
        if how in ("on", "off"):
            profiles.set_enabled(how == "on")
        elif how:
            profiles.set_strength(_strength(how))
            profiles.set_enabled(True)

    async def _compare(self, text: str) -> None:
        self._screen.compare(text)

    async def _copy(self, what: str) -> None:
        if what not in ("", "code"):
            raise AssistantError("/copy copies the last reply, /copy code the code in it")
        await self._on_last_reply("code" if what else "copy")

    async def _title(self, title: str) -> None:
        if not title:
            await self._on_conversation("rename")
            return
        self._assistant.history.give_title(self._conversation().id, title)
        self._screen.show_conversations()

    async def _tag(self, tags: str) -> None:
        if not tags:
            await self._on_conversation("tag")
            return
        self._assistant.history.set_tags(self._conversation().id, tags.split(","))
        self._screen.show_conversations()

    async def _search(self, words: str) -> None:
        self._screen.search(words)

    async def _export(self, path: str) -> None:
        await self._conversation_wishes.export(self._conversation().id, path)

    async def _import(self, path: str) -> None:
        self._screen.app.push_screen(ImportModal(self._assistant.importing, path))

    async def _undo(self, _: str) -> None:
        if not await self._conversation_wishes.undo():
            raise AssistantError("nothing was deleted in the last ten minutes")

    async def _editor(self, _: str) -> None:
        self._screen.write_in_editor()

    async def _on_last_reply(self, wish: str) -> None:
        await self._messages.to_end()
        views = self._messages.views()
        if not views or views[-1].record.role != "assistant":
            raise AssistantError("there is no reply yet")
        if not views[-1].check_action("ask", (wish,)):
            raise AssistantError("the last reply does not allow that")
        await self._wishes.fulfil(views[-1], wish)

    async def _on_conversation(self, wish: Wish) -> None:
        await self._conversation_wishes.fulfil(ConversationList.Asked(self._conversation(), wish))

    def _conversation(self) -> Conversation:
        history = self._assistant.history
        for one in (*history.conversations(), *history.conversations(archived=True)):
            if one.id == self._screen.shown:
                return one
        raise AssistantError("nothing is said here yet")

    def _refuse_while_writing(self) -> None:
        if self._screen.live.running:
            raise AssistantError(with_keys(self._screen, "a reply is being written; {chat.stop} stops it"))

    def _tell(self, text: str) -> None:
        self._screen.notify(one_line(text, TOLD_WIDTH), markup=False)


def _strength(text: str) -> float:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise AssistantError(f"/steer takes on, off or a strength such as 0.8, not “{one_line(text, 40)}”") from None
