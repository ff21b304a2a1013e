"""What the person says about replies, items and phrases."""

from __future__ import annotations

from storage.database import Database


class Feedback:
    """Ratings, exclusions, claims and vetoes of one history."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def rate(self, message_id: int, rating: int) -> None:
        """Rate a message 1 (up) or -1 (down); 0 takes the rating back.

        Raises: NotFoundError: there is no such message. ValueError: another number.
        """
        if rating not in (-1, 0, 1):
            raise ValueError(f"rating {rating}: must be -1, 0 or 1")
        with self._db.transaction():
            if rating:
                self._db.write("INSERT OR REPLACE INTO ratings VALUES (?, ?)", (message_id, rating))
            else:
                self._db.write("DELETE FROM ratings WHERE message_id = ?", (message_id,))

    def exclude_item(self, item_id: str) -> None:
        """Never learn from this item."""
        with self._db.transaction():
            self._db.write("INSERT OR IGNORE INTO excluded_items VALUES (?)", (item_id,))

    def include_item(self, item_id: str) -> None:
        """Take an exclusion back."""
        with self._db.transaction():
            self._db.write("DELETE FROM excluded_items WHERE item_id = ?", (item_id,))

    def excluded_items(self) -> set[str]:
        """The items that are never learned from."""
        return {row["item_id"] for row in self._db.rows("SELECT item_id FROM excluded_items")}

    def claim_item(self, item_id: str) -> None:
        """Take what was pasted into this item for the person's own words."""
        with self._db.transaction():
            self._db.write("INSERT OR IGNORE INTO claimed_items VALUES (?)", (item_id,))

    def disclaim_item(self, item_id: str) -> None:
        """Take a claim back."""
        with self._db.transaction():
            self._db.write("DELETE FROM claimed_items WHERE item_id = ?", (item_id,))

    def claimed_items(self) -> set[str]:
        """The items of which what was pasted into them is the person's own, too."""
        return {row["item_id"] for row in self._db.rows("SELECT item_id FROM claimed_items")}

    def veto_phrase(self, phrase: str) -> None:
        """Never take this phrase for a preference, in whatever case; its first spelling is kept."""
        with self._db.transaction():
            self._db.write(
                "INSERT OR IGNORE INTO vetoed_phrases VALUES (?, ?)",
                (phrase.strip().casefold(), phrase.strip()),
            )

    def allow_phrase(self, phrase: str) -> None:
        """Take a veto back, in whatever case it is given."""
        with self._db.transaction():
            self._db.write("DELETE FROM vetoed_phrases WHERE folded = ?", (phrase.strip().casefold(),))

    def vetoed_phrases(self) -> list[str]:
        """The phrases under veto as they were first spelled, in alphabetical order."""
        return [row["phrase"] for row in self._db.rows("SELECT phrase FROM vetoed_phrases ORDER BY folded")]
